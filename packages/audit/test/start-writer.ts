import { auditFile } from '../src/log/audit-file.js';

// Starts a log and says how that ended, for a test that must not hang with it.
const [, , folder = '', checkpointKey] = process.argv;
try {
  await auditFile(folder, checkpointKey === undefined ? {} : { checkpointKey }).close?.();
  process.stdout.write('started');
} catch (error) {
  process.stdout.write(String(error));
}
