import { type TaskMeta, TestRunner } from 'vitest';

/** What a scenario tells the reporter that prints the table of scenarios and hosts. */
export interface ScenarioNote {
  readonly title: string;
  readonly host: string;
  /** Codes of the refusals that the test brought about. */
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

/** Notes the code for the test that is running. */
export function noteRefusal(code: string): void {
  TestRunner.getCurrentTest()?.meta.scenario?.refusals.push(code);
}
