import { type TaskMeta, TestRunner } from 'vitest';

/** Data of a scenario for the reporter that prints the table of scenarios and hosts. */
export interface ScenarioNote {
  readonly title: string;
  readonly host: string;
  /** Codes of the refusals in this test. */
  readonly refusals: string[];
}

declare module 'vitest' {
  interface TaskMeta {
    scenario?: ScenarioNote;
  }
}

export function noteScenario(meta: TaskMeta, title: string, host: string): void {
  meta.scenario = { title, host, refusals: [] };
}

/** Adds the code to the running test. */
export function noteRefusal(code: string): void {
  TestRunner.getCurrentTest()?.meta.scenario?.refusals.push(code);
}
