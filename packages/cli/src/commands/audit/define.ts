import { type Command, Option } from 'commander';
import type { Io } from '../../io.js';

/** Adds `audit` and its commands. A command is loaded only when it runs. */
export function defineAudit(program: Command, io: Io, exitWith: (code: number) => void): void {
  const audit = program
    .command('audit')
    .description('verify, prove and read the audit log of an API')
    .addHelpText(
      'after',
      `
Nothing is sent. The log may be written meanwhile.

Examples:
  countersign audit verify /var/lib/api/audit --key acme.vkey \\
    --checkpoint /mnt/auditors/acme.checkpoints
  countersign audit query /var/lib/api/audit --decision deny --since 24h
  countersign audit prove /var/lib/api/audit 42 --out record-42.proof
  countersign audit check record-42.proof --key acme.vkey
  countersign audit report /var/lib/api/audit --key acme.vkey --out report.html`,
    );
  defineVerify(audit, io, exitWith);
  defineProofs(audit, io, exitWith);
  defineReading(audit, io, exitWith);
  defineReport(audit, io, exitWith);
  for (const command of audit.commands) {
    command.showHelpAfterError(`(countersign audit ${command.name()} --help shows what is possible)`);
  }
}

const folderHelp = 'the folder of the log, or a folder of such folders, as of the processes of one API';
const keyHelp = 'verifier key of the log, name+id+base64, or a file that holds it';
const keysHelp = 'verifier key of the log, name+id+base64, or a file that holds it; of several logs, one key a line';

function defineVerify(audit: Command, io: Io, exitWith: (code: number) => void): void {
  audit
    .command('verify')
    .description('say whether a log is as it was written and sealed, and if not, which records are wrong')
    .argument('<folder>', folderHelp)
    .option(
      '-k, --key <key>',
      `${keysHelp}; not from the folder of the log (default: checkpoint.vkey there, which shows no more than that the log is consistent)`,
    )
    .option('--checkpoint <file>', 'checkpoints kept elsewhere: they show a cut tail. May be repeated', collect, [])
    .option('--archived', 'the oldest segments were moved away: begin with the first that is there', false)
    .option('--json', 'print what was found as JSON', false)
    .addHelpText(
      'after',
      `
Exit code 3: the log is not as it was written, or nothing of it is sealed.

Example:
  countersign audit verify /var/lib/api/audit --key acme.vkey \\
    --checkpoint /mnt/auditors/acme.checkpoints`,
    )
    .action(async (folder, options) => {
      const { verify } = await import('./verify.js');
      exitWith(await verify(folder, options, io));
    });
}

function defineProofs(audit: Command, io: Io, exitWith: (code: number) => void): void {
  audit
    .command('prove')
    .description('make a small file that proves one record to be in the log, without the others')
    .argument('<folder>', 'the folder of the log, with all its segments')
    .argument('<record>', 'its id or its number')
    .option('-k, --key <key>', `${keyHelp} (default: checkpoint.vkey in the folder)`)
    .option('-o, --out <file>', 'where to write the proof, mode 0600 (default: standard output)')
    .option('--force', 'overwrite that file', false)
    .addHelpText('after', '\nExample:\n  countersign audit prove /var/lib/api/audit 42 --out record-42.proof')
    .action(async (folder, record, options) => {
      const { prove } = await import('./prove.js');
      await prove(folder, record, options, io);
    });
  audit
    .command('check')
    .description('check such a proof, without the log; print the record')
    .argument('<proof>', 'the file; - is standard input')
    .requiredOption('-k, --key <key>', keyHelp)
    .option('--json', 'print the result as JSON', false)
    .addHelpText(
      'after',
      `
Exit code 3: the record was not in the log, or this key does not show it.

Example:
  countersign audit check record-42.proof --key acme.vkey`,
    )
    .action(async (proof, options) => {
      const { check } = await import('./check.js');
      exitWith(await check(proof, options, io));
    });
}

function defineReading(audit: Command, io: Io, exitWith: (code: number) => void): void {
  withFilters(
    audit
      .command('query')
      .description('print the records that match, oldest first')
      .argument('<folder...>', `${folderHelp}; several logs are read as one, by time`)
      .option('--json', 'print the lines of the log as they stand there', false),
  )
    .addHelpText(
      'after',
      `
All that is asked must be true of a record. Exit code 1: a line is no record.

Examples:
  countersign audit query /var/lib/api/audit --decision deny --since 24h
  countersign audit query /var/lib/api/audit --claimed agent-a
  countersign audit query /var/lib/api/audit/worker-* --action pr.merge --json`,
    )
    .action(async (folders, options) => {
      const { query } = await import('./query.js');
      exitWith(await query(folders, options, io));
    });
  withFilters(
    audit
      .command('tail')
      .description('print the last records')
      .argument('<folder>', folderHelp)
      .option('-f, --follow', 'go on with what is written from now on; wait for a log that is not there yet', false)
      .option('-n, --lines <count>', 'how many of the last records to look at', '10')
      .option('--json', 'print the lines of the log as they stand there', false),
  )
    .addHelpText('after', '\nExample:\n  countersign audit tail --follow /var/lib/api/audit --decision deny')
    .action(async (folder, options) => {
      const { tail } = await import('./tail.js');
      exitWith(await tail(folder, options, io));
    });
}

function defineReport(audit: Command, io: Io, exitWith: (code: number) => void): void {
  withFilters(
    audit
      .command('report')
      .description('write one HTML page for people: summary, timeline, chains, filters. It loads nothing')
      .argument('<folder>', folderHelp)
      .requiredOption('-o, --out <file>', 'where to write the page (mode 0600)')
      .option('--force', 'overwrite that file', false)
      .option('-k, --key <key>', `${keysHelp}. Without it the page says that nothing was verified`)
      .option('--checkpoint <file>', 'checkpoints kept elsewhere; may be repeated', collect, [])
      .option('--archived', 'the oldest segments were moved away: begin with the first that is there', false)
      .option('--latest <count>', 'the page lists this many of the last records that match; it counts all', '10000'),
  )
    .addHelpText(
      'after',
      `
With --key, exit code 3: the log is not right, or nothing of it is sealed. The
page says so, too.

Example:
  countersign audit report /var/lib/api/audit --key acme.vkey --out report.html`,
    )
    .action(async (folder, options) => {
      const { report } = await import('./report.js');
      exitWith(await report(folder, options, io));
    });
}

function withFilters(command: Command): Command {
  return command
    .option('--actor <id>', 'agent that acted')
    .option('--subject <id>', 'on whose behalf')
    .option('--via <id>', 'agent through which it was handed on: between subject and actor')
    .option('--delegation <id>', 'delegation that it rests on: one of the chain, or what that was exchanged from')
    .option('--resource <resource>', 'its id, its type, or both: \'Repo::"acme/api"\'')
    .option('--action <action>', 'like pr.create')
    .addOption(new Option('--decision <decision>', 'what was decided').choices(['allow', 'deny', 'would_refuse']))
    .addOption(
      new Option('--phase <phase>', 'kind of record').choices([
        'authentication',
        'decision',
        'outcome',
        'authority',
        'segment',
        'checkpoint',
        'recovered',
      ]),
    )
    .addOption(
      new Option('--outcome <result>', 'how a request that was let in ended').choices([
        'finished',
        'threw',
        'aborted',
        'timed_out',
        'failed',
        'cancelled',
        'not_started',
      ]),
    )
    .option('--approval <id>', 'all about an approval: its id, or the binding of the request that it is for')
    .option('--undecided', 'requests that ended without anybody having been asked whether they may')
    .option('--code <code>', 'reason of a refusal, like policy_denied')
    .option('--claimed <id>', 'agent or key in whose name a request was refused: a claim, not who it was')
    .option('--address <ip>', 'remote address of the request')
    .option('--request <id>', 'all records of one request')
    .option('--since <time>', 'from then on: 2026-11-24 (00:00 UTC), 2026-11-24T15:00:00Z, or 15m, 2h, 7d before now')
    .option('--until <time>', 'before then, not at it');
}

function collect(value: string, previous: readonly string[]): readonly string[] {
  return [...previous, value];
}
