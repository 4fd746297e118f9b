/**
 * Reports that a program is missing, so that the tests that need it are skipped.
 *
 * @throws Error if `COUNTERSIGN_REQUIRED` names the program: CI sets it for the programs that it has.
 */
export function reportMissing(program: string, message: string): undefined {
  const required = (process.env['COUNTERSIGN_REQUIRED'] ?? '').split(' ');
  if (required.includes(program)) throw new Error(message);
  process.stderr.write(`${message}\n`);
  return undefined;
}
