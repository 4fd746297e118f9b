import { stripVTControlCharacters } from 'node:util';
import type { Reporter, SerializedError, TestModule } from 'vitest/node';

/** What did not pass: where, and why. */
interface Failure {
  readonly name: string;
  readonly errors: readonly Pick<SerializedError, 'message'>[];
}

const ERROR_LINES = 4;
const ERROR_LINE_LENGTH = 300;

/**
 * Prints each failure once more, as `failed: file > name` with the first lines of its error behind a bar, likewise what
 * passed only the second time, and then the one closing line that CI reads. A file that cannot load, or a failed hook, counts as failed.
 */
export default class VerdictReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[], reason: string): void {
    let passed = 0;
    let skipped = 0;
    const unsteady: string[] = [];
    const failures: Failure[] = unhandled.map((error) => ({ name: 'outside of any test', errors: [error] }));
    for (const module of modules) {
      const file = module.relativeModuleId;
      failures.push(...ofParts(file, module.errors()));
      for (const suite of module.children.allSuites()) {
        failures.push(...ofParts(`${file} > ${suite.fullName}`, suite.errors()));
      }
      for (const test of module.children.allTests()) {
        const { state, errors } = test.result();
        if (test.diagnostic()?.flaky === true) {
          unsteady.push(
            ...told({ name: `${file} > ${test.fullName}`, errors: errors ?? [] }, 'passed only the second time'),
          );
        }
        if (state === 'passed') passed++;
        else if (state === 'failed') failures.push({ name: `${file} > ${test.fullName}`, errors });
        else skipped++;
      }
    }
    if (failures.length === 0 && (reason !== 'passed' || passed === 0)) {
      failures.push({ name: `the run, which ended as '${reason}'`, errors: [] });
    }
    const lines = [...unsteady, ...failures.flatMap((failure) => told(failure))];
    lines.push(`${passed} passed, ${failures.length} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
    process.stdout.write(`${lines.join('\n')}\n`);
  }
}

/** A failed hook of a file or a suite: each of its errors counts. */
function ofParts(name: string, errors: readonly SerializedError[]): Failure[] {
  return errors.map((error) => ({ name: `${name} (itself, or a hook)`, errors: [error] }));
}

function told({ name, errors }: Failure, verdict = 'failed'): string[] {
  const lines = errors.flatMap(({ message }) => stripVTControlCharacters(message).split('\n'));
  const why = lines.filter((line) => line.trim() !== '').slice(0, ERROR_LINES);
  return [
    `${verdict}: ${name.replaceAll(/\s+/g, ' ')}`,
    ...why.map((line) => `      | ${line.slice(0, ERROR_LINE_LENGTH)}`),
  ];
}
