import { spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { appendFileSync, cpSync, mkdirSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { splitCheckpoints } from '@countersign/audit-verifier';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../../run-cli.js';
import { changeLines, decision, outcome, temporaryFolder, writeLog } from './write-log.js';

const template = temporaryFolder();
let key: string;
/** The auditor's copy: all checkpoints, kept elsewhere. */
let kept: string;

beforeAll(async () => {
  const events = Array.from({ length: 12 }, (_, number) => [decision(number), outcome(number)]).flat();
  key = await writeLog(template.file('log'), events, { checkpointEvery: { records: 8 } });
  kept = template.file('kept.checkpoints');
  cpSync(template.file('log/checkpoints.txt'), kept);
});
afterAll(() => template[Symbol.dispose]());

function copy(): { readonly log: string } & Disposable {
  const folder = temporaryFolder();
  cpSync(template.file('log'), folder.file('log'), { recursive: true });
  return { log: folder.file('log'), [Symbol.dispose]: () => folder[Symbol.dispose]() };
}

/** Truncates a log and its checkpoints to the first records. */
function cutAfter(log: string, records: number): void {
  changeLines(log, (lines) => lines.slice(0, records));
  const notes = splitCheckpoints(readFileSync(kept, 'utf8')).filter((note) => Number(note.split('\n')[1]) < records);
  writeFileSync(`${log}/checkpoints.txt`, notes.map((note) => `${note}\n`).join(''));
}

const swap = (lines: readonly string[]): readonly string[] => {
  const [a = '', b = ''] = lines.slice(9, 11);
  return lines.toSpliced(9, 2, b, a);
};

describe('audit verify', () => {
  it('reports an intact log, and its sealed part', async () => {
    const { code, out, err } = await runCli([
      'audit',
      'verify',
      template.file('log'),
      '--key',
      key,
      '--checkpoint',
      kept,
    ]);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const [, size = '', sealed = ''] =
      /^The log is whole: (\d+) records in 1 segment, each in its place\.\nRecords 1 to (\d+) are/.exec(out) ?? [];
    expect(Number(size) - Number(sealed)).toBe(1);
    // A closed log needs no warning.
    expect(out).toMatch(new RegExp(`has sealed\\. Record ${size} is the log's own note of that seal\\.\n$`));
  });

  it.each<[string, (lines: readonly string[]) => readonly string[], string]>([
    ['another record', (lines) => lines.slice(0, 2), 'The last one is not sealed yet, and could be changed or cut off'],
    ['several records', (lines) => lines.slice(0, 4), 'The last 3 are not sealed yet, and could be changed or cut off'],
    ['nothing, and counts one thing as one', (lines) => lines.slice(0, 1), ''],
  ])('says of what is not sealed: %s', async (_name, change, words) => {
    using folder = copy();
    changeLines(folder.log, change);
    const notes = splitCheckpoints(readFileSync(kept, 'utf8')).filter((note) => note.split('\n')[1] === '1');
    writeFileSync(`${folder.log}/checkpoints.txt`, notes.join(''));
    const report = await runCli(['audit', 'verify', folder.log, '--key', key]);
    expect(report.out).toContain(`Record 1 is the one that the key has sealed.${words === '' ? '\n' : ` ${words}`}`);
    if (words === '') expect(report.out).toMatch(/^The log is whole: 1 record in 1 segment, in its place\.\n/);
    expect(report.code).toBe(0);
  });

  it('names all edited neighbours at the line of the first, and reports the unsealed part [F6]', async () => {
    using folder = copy();
    const edited = [11, 12, 13];
    changeLines(folder.log, (lines) =>
      lines.map((line, index) => (edited.includes(index + 1) ? line.replace('2026', '2025') : line)),
    );
    const { code, out } = await runCli(['audit', 'verify', folder.log, '--key', key]);
    expect(out).toMatch(
      /edited +Records 11 to 13 were changed, or some of them\. \(audit-000001\.jsonl, line 11\)\n.* has sealed\. No seal covers what follows: more of it may have been changed than can be found\.\n/,
    );
    expect(code).toBe(3);
  });

  it.each<[string, (lines: readonly string[]) => readonly string[], RegExp]>([
    [
      'an edit',
      (lines) => lines.with(9, (lines[9] ?? '').replace('2026', '2025')),
      /edited +Record 10 was changed\. \(audit-000001\.jsonl, line 10\)/,
    ],
    ['a removal', (lines) => lines.toSpliced(9, 1), /removed +Record 10 is missing\./],
    ['a reordering', swap, /reordered +Record 10 stands in the wrong place\./],
    [
      'a duplicate',
      (lines) => lines.toSpliced(9, 0, lines[8] ?? ''),
      /duplicated +Record 9 stands here a second time\./,
    ],
    ['a cut tail', (lines) => lines.slice(0, 20), /cut_tail +Records 21 to \d+ were cut off the end\./],
    ['a line that is no record', (lines) => lines.with(9, '\u001b[2J'), /edited +Record 10 was changed\./],
  ])('finds %s and names the record [F6]', async (_name, change, words) => {
    using folder = copy();
    changeLines(folder.log, change);
    const { code, out } = await runCli(['audit', 'verify', folder.log, '--key', key]);
    expect(out).toMatch(/^The log is NOT as it was written: \d+ findings?\./);
    expect(out).toMatch(words);
    expect(code).toBe(3);
  });

  it('finds a cut tail with cut checkpoints only when a checkpoint was kept elsewhere [F6]', async () => {
    using folder = copy();
    cutAfter(folder.log, 12);
    expect((await runCli(['audit', 'verify', folder.log, '--key', key])).code).toBe(0);
    const { code, out } = await runCli(['audit', 'verify', folder.log, '--key', key, '--checkpoint', kept]);
    expect(out).toMatch(/cut_tail +Records 13 to \d+ were cut off the end/);
    expect(code).toBe(3);
  });

  it.each<[string, (text: string) => string]>([
    ['without its last newline', (text) => text.trim()],
    ['with the ends of lines of Windows', (text) => text.replaceAll('\n', '\r\n')],
    ['with more blank lines', (text) => `\n\n${text.replaceAll('\n\n', '\n\n\n')}`],
  ])('a checkpoint kept elsewhere shows a cut tail also %s [F6]', async (_name, copied) => {
    using folder = copy();
    const file = `${folder.log}/../copied.checkpoints`;
    writeFileSync(file, copied(readFileSync(kept, 'utf8')));
    const verify = async () => runCli(['audit', 'verify', folder.log, '--key', key, '--checkpoint', file]);
    expect((await verify()).code).toBe(0);
    cutAfter(folder.log, 12);
    const { code, out } = await verify();
    expect(out).toMatch(/cut_tail +Records 13 to \d+ were cut off the end/);
    expect(code).toBe(3);
  });

  it('uses the key in the folder when none is given, and warns that it proves little', async () => {
    using folder = copy();
    const { code, out, err } = await runCli(['audit', 'verify', folder.log]);
    expect(code).toBe(0);
    expect(out).toContain('The log is whole');
    expect(err).toContain('Without --key this shows only that the log is consistent');
    expect(err).toMatch(/Caution: .*checkpoint\.vkey lies beside the log/);
    const file = `${folder.log}/checkpoint.vkey`;
    rmSync(file);
    const missing = await runCli(['audit', 'verify', folder.log]);
    expect(missing).toMatchObject({ code: 2, out: '' });
    expect(missing.err).toContain(`with --key: there is none at ${file}`);
  });

  it('compares the checkpoints of several witnesses, and names the one with a torn part [F6]', async () => {
    using folder = copy();
    const files = ['one', 'two'].map((name) => `${folder.log}/../${name}.checkpoints`);
    for (const file of files) cpSync(kept, file);
    const given = files.flatMap((file) => ['--checkpoint', file]);
    const verify = async () => runCli(['audit', 'verify', folder.log, '--key', key, ...given]);
    expect(await verify()).toMatchObject({ code: 0, err: '' });
    appendFileSync(files[1] ?? '', 'acme.dev/audit/1\n2');
    const { code, out } = await verify();
    expect(out).toMatch(/checkpoint_edited +A part of the checkpoints kept elsewhere \(2\) is no whole checkpoint/);
    expect(out).toContain('1 finding.');
    expect(code).toBe(3);
  });

  it('finds a forked log when the same key has sealed another history [F6]', async () => {
    using other = temporaryFolder();
    const events = Array.from({ length: 24 }, (_, number) => decision(number, { decision: 'deny' }));
    // Only a holder of the log and its key can fork it, because both continue from the same first record.
    mkdirSync(other.file('log'));
    const [first = ''] = readFileSync(template.file('log/audit-000001.jsonl'), 'utf8').split('\n');
    writeFileSync(other.file('log/audit-000001.jsonl'), `${first}\n`);
    const [note = ''] = splitCheckpoints(readFileSync(kept, 'utf8'));
    writeFileSync(other.file('log/checkpoints.txt'), `${note}\n`);
    await writeLog(other.file('log'), events, { checkpointEvery: { records: 8 } });
    const { code, out } = await runCli(['audit', 'verify', other.file('log'), '--key', key, '--checkpoint', kept]);
    expect(out).toMatch(/forked +This is not the log that its key has sealed elsewhere/);
    expect(code).toBe(3);
  });

  it('reports a log sealed with another key [F6]', async () => {
    using other = temporaryFolder();
    const { privateKey: checkpointKey } = generateKeyPairSync('ed25519');
    const wrong = await writeLog(other.file('log'), [decision(1)], { checkpointKey });
    const { code, out } = await runCli(['audit', 'verify', template.file('log'), '--key', wrong]);
    expect(out).toMatch(/wrong_key +Checkpoints 1 to \d+ in checkpoints\.txt are signed by another key\./);
    expect(code).toBe(3);
  });

  it('reports a log when all segments are gone [F6]', async () => {
    using folder = copy();
    rmSync(`${folder.log}/audit-000001.jsonl`);
    const expected =
      /^The log is NOT as it was written: 1 finding\.\n +cut_tail +Records 1 to \d+ were cut off the end\.\n/;
    const { code, out } = await runCli(['audit', 'verify', folder.log, '--key', key]);
    expect(out).toMatch(expected);
    expect(code).toBe(3);
    rmSync(`${folder.log}/checkpoints.txt`);
    expect(await runCli(['audit', 'verify', folder.log, '--key', key])).toMatchObject({ code: 1, out: '' });
    const witnessed = await runCli(['audit', 'verify', folder.log, '--key', key, '--checkpoint', kept]);
    expect(witnessed.out).toMatch(expected);
    expect(witnessed.code).toBe(3);
  });

  it('skips checkpoints of other logs in a shared file, and reports it', async () => {
    using other = temporaryFolder();
    const { privateKey: checkpointKey } = generateKeyPairSync('ed25519');
    await writeLog(other.file('log'), [decision(1)], { checkpointKey, origin: 'acme.dev/neighbour' });
    const foreign = readFileSync(other.file('log/checkpoints.txt'), 'utf8');
    const file = other.file('all.checkpoints');
    writeFileSync(file, foreign + readFileSync(kept, 'utf8'));
    const verify = async () => runCli(['audit', 'verify', template.file('log'), '--key', key, '--checkpoint', file]);
    const { code, out } = await verify();
    expect(out).toMatch(/ {2}\d checkpoints of other logs in the checkpoints kept elsewhere were skipped\.\n$/);
    expect(code).toBe(0);
    writeFileSync(file, foreign);
    const none = await verify();
    expect(none).toMatchObject({ code: 1, out: '' });
    expect(none.err).toContain('There is no checkpoint of this log in the checkpoints kept elsewhere.');
  });

  it('refuses a log without a seal', async () => {
    using folder = copy();
    // An attacker without the key rewrites a log without its checkpoints.
    changeLines(folder.log, (lines) => lines.slice(0, 5));
    rmSync(`${folder.log}/checkpoints.txt`);
    const { code, out } = await runCli(['audit', 'verify', folder.log, '--key', key]);
    expect(out).toContain('NOTHING of the log is sealed by this key');
    expect(code).toBe(3);
  });

  it('prints findings as JSON, and escapes control characters of the log [F1]', async () => {
    using folder = copy();
    changeLines(folder.log, (lines) => lines.toSpliced(9, 1));
    appendFileSync(`${folder.log}/checkpoints.txt`, '\nx\u202e\u001b[31m\n1\nAAAA\n\n— x AAAA\n');
    const { code, out } = await runCli(['audit', 'verify', folder.log, '--key', key, '--json']);
    expect(JSON.parse(out)).toMatchObject({ ok: false, trusted: false, findingCount: expect.any(Number) as number });
    expect(out).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}]/u);
    expect(code).toBe(3);
  });

  it('reads the key from a file, and warns when it is beside the log', async () => {
    using folder = copy();
    const file = template.file('acme.vkey');
    writeFileSync(file, `${key}\n`);
    expect(await runCli(['audit', 'verify', folder.log, '--key', file])).toMatchObject({ code: 0, err: '' });
    const beside = await runCli(['audit', 'verify', folder.log, '--key', `${folder.log}/checkpoint.vkey`]);
    expect(beside.err).toContain('lies beside the log');
  });

  it.each<[string, () => string[], number]>([
    ['a folder without a log', () => [template.file('log/none'), '--key', key], 1],
    ['a folder that is not there', () => [template.file('none'), '--key', key], 1],
    ['a file of checkpoints that is not there', () => [template.file('log'), '--key', key, '--checkpoint', 'none'], 1],
    ['a key that is none', () => [template.file('log'), '--key', 'none'], 2],
    ['a key file without a key', () => [template.file('log'), '--key', kept], 2],
    [
      'checkpoints without any',
      () => [template.file('log'), '--key', key, '--checkpoint', template.file('log/checkpoint.vkey')],
      2,
    ],
  ])('cannot verify with %s', async (_name, args, expected) => {
    const { code, out, err } = await runCli(['audit', 'verify', ...args()]);
    expect({ code, out }).toEqual({ code: expected, out: '' });
    expect(err).toMatch(/countersign|error/);
    expect(err).not.toMatch(/ {4}at /);
  });
});

function broken(): string {
  return key.replace(/\+[0-9a-f]{8}\+/, '+00000000+');
}

describe('--key', () => {
  const otherKind = `acme+1234abcd+${Buffer.alloc(33, 2).toString('base64')}`;

  it.each<[string, () => string, string]>([
    ['what is neither', () => 'none', 'neither a file that can be read nor a key: none is no verifier key'],
    ['a folder', () => template.path, `${template.path} is no verifier key (name+id+base64)`],
    ['a key with another id', broken, '+00000000+'],
    ['a key with another id', broken, 'is a verifier key whose id is not that of its name and key'],
    ['a key of another kind', () => otherKind, 'is a verifier key of another kind than Ed25519'],
    ['a file without a key', () => kept, 'kept.checkpoints holds no verifier key (name+id+base64)'],
    ['a file with such a key', () => fileOf(broken()), 'broken.vkey holds a verifier key whose id is not that'],
    ['a file with such a key', () => fileOf(otherKind), 'broken.vkey holds a verifier key of another kind'],
  ])('of %s is refused with the reason', async (_name, given, words) => {
    const { code, out, err } = await runCli(['audit', 'verify', template.file('log'), '--key', given()]);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(words);
  });

  function fileOf(text: string): string {
    const file = template.file('broken.vkey');
    writeFileSync(file, `${text}\n`);
    return file;
  }
});

describe('audit prove and check', () => {
  it.each([
    ['its number', '7'],
    ['its id', 'decision-2'],
  ])('proves a record by %s, checked without the log', async (_name, id) => {
    using folder = temporaryFolder();
    const file = folder.file('record.proof');
    const made = await runCli(['audit', 'prove', template.file('log'), id, '--out', file]);
    expect(made).toMatchObject({ code: 0, out: '' });
    const proof = readFileSync(file, 'utf8');
    expect(proof.length).toBeLessThan(4096);
    const { code, out } = await runCli(['audit', 'check', file, '--key', key, '--json']);
    const { record } = JSON.parse(out) as { record: { sequence: number; id: string } };
    expect([String(record.sequence), record.id]).toContain(id);
    expect(code).toBe(0);
    expect((await runCli(['audit', 'check', '-', '--key', key], { input: proof })).out).toContain(
      `"id": "${record.id}"`,
    );
  });

  it('refuses a proof that was changed, is of another key, or does not parse', async () => {
    const { out: proof } = await runCli(['audit', 'prove', template.file('log'), '7']);
    const [version, extra = '', ...rest] = proof.split('\n');
    const record = Buffer.from(extra.slice(6), 'base64').toString().replace('agent-a', 'agent-b');
    const changed = [version, `extra ${Buffer.from(record).toString('base64')}`, ...rest].join('\n');
    using other = temporaryFolder();
    const { privateKey: checkpointKey } = generateKeyPairSync('ed25519');
    const wrong = await writeLog(other.file('log'), [decision(1)], { checkpointKey });
    for (const [input, by, words] of [
      [changed, key, 'The record in the proof is not in the log that was sealed'],
      [proof, wrong, 'is not signed by this key'],
      [proof.replace(/^\d+$/m, '4'), key, 'was changed after it was signed'],
      ['nothing', key, 'The file is no proof'],
    ] as const) {
      const { code, out } = await runCli(['audit', 'check', '-', '--key', by], { input });
      expect(out).toContain(words);
      expect(code).toBe(3);
    }
    expect(JSON.parse((await runCli(['audit', 'check', '-', '--key', key, '--json'], { input: 'x' })).out)).toEqual({
      ok: false,
      problem: 'malformed',
    });
  });

  it('refuses to prove a record that is missing, unsealed, or changed after it was sealed', async () => {
    using folder = copy();
    const prove = async (id: string) => runCli(['audit', 'prove', folder.log, id]);
    expect(await prove('999')).toMatchObject({
      code: 1,
      out: '',
      err: expect.stringContaining('no such record') as string,
    });
    const last = readFileSync(`${folder.log}/audit-000001.jsonl`, 'utf8').trimEnd().split('\n').length;
    expect(await prove(String(last))).toMatchObject({
      code: 1,
      err: expect.stringContaining('no checkpoint') as string,
    });
    changeLines(folder.log, (lines) => lines.with(2, (lines[2] ?? '').replace('agent-a', 'agent-b')));
    expect(await prove('7')).toMatchObject({
      code: 3,
      err: expect.stringContaining('not the one that was sealed') as string,
    });
    expect(await runCli(['audit', 'check', folder.log, '--key', key])).toMatchObject({ code: 1, out: '' });
  });
});

it('every command of audit has a help', async () => {
  for (const command of ['verify', 'prove', 'check', 'query', 'tail', 'report']) {
    const { code, out, err } = await runCli(['audit', command, '--help']);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(new RegExp(`^Usage: countersign audit ${command} `));
  }
});

const bin = fileURLToPath(new URL('../../../bin/countersign.js', import.meta.url));
const built = existsSync(fileURLToPath(new URL('../../../dist/index.js', import.meta.url)));

it.runIf(built)('the command exits with 3 when a log was changed', () => {
  using folder = copy();
  const verify = () => spawnSync(process.execPath, [bin, 'audit', 'verify', folder.log, '--key', key]).status;
  expect(verify()).toBe(0);
  changeLines(folder.log, (lines) => lines.toSpliced(9, 1));
  expect(verify()).toBe(3);
});
