import { spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { duration, moment, printable } from '../src/text.js';
import { runCli } from './run-cli.js';

const commands = [
  [],
  ...['keygen', 'curl', 'delegate', 'inspect', 'audit', 'policy'].map((name) => [name]),
  ...['verify', 'prove', 'check', 'query', 'tail', 'report'].map((name) => ['audit', name]),
  ...['new', 'check', 'test', 'explain'].map((name) => ['policy', name]),
  ...['authority', 'agents', 'approvals', 'dev'].map((name) => [name]),
  ...['list', 'show', 'deny', 'statistics', 'suggest', 'break-glass', 'dead-letters'].map((name) => [
    'approvals',
    name,
  ]),
  ...['add', 'list', 'show', 'rotate', 'suspend', 'resume', 'revoke'].map((name) => ['agents', name]),
];

describe('main', () => {
  it('shows help with examples and exit codes, and exits with 0', async () => {
    for (const argv of [['--help'], ['help'], ['keygen', '--help'], ['curl', '--help'], ['inspect', '--help']]) {
      const { code, out, err } = await runCli(argv);
      expect({ code, err }).toEqual({ code: 0, err: '' });
      expect(out).toMatch(/^Usage: countersign/);
      expect(out).toMatch(/countersign (?:keygen|curl|inspect) /);
    }
    expect((await runCli(['--help'])).out).toContain('Exit codes:');
  });

  it.each(commands)('fits a terminal of 80 columns: %j', async (...command) => {
    const { out } = await runCli([...command, '--help']);
    expect(out.split('\n').filter((line) => line.length > 80)).toEqual([]);
    expect(out).not.toMatch(/\(default: (?:false|\[\]|"")\)/);
  });

  it.each(commands)('ends its help with an example: %j', async (...command) => {
    const { out } = await runCli([...command, '--help']);
    const [, examples = ''] = out.split(/\nExamples?:\n/);
    expect(examples).toMatch(new RegExp(`^ +countersign ${command.join(' ')}`));
  });

  it.each([
    [['inpsect'], 'Did you mean inspect?', 'countersign --help'],
    [['policy', 'chek', 'x'], 'Did you mean check?', 'countersign policy --help'],
    [['policy', 'explain', 'x', '--acter', 'a'], 'Did you mean --actor?', 'countersign policy explain --help'],
    [['keygen', '--capability', 'a'], 'Did you mean --capabilities?', 'countersign keygen --help'],
  ])('says what was meant, and where the help is: %j', async (argv, meant, help) => {
    const { code, err } = await runCli(argv);
    expect(code).toBe(2);
    expect(err).toContain(meant);
    expect(err).toContain(`(${help} shows what is possible)`);
  });

  it.each([
    ['the key of a call', (key: string) => ['curl', 'GET', 'http://localhost:1/', '--key', key]],
    ['the key after an equals sign', (key: string) => ['curl', 'GET', 'http://localhost:1/', `--key=${key}`]],
    ['the file of agents', (key: string) => ['inspect', `--agents=${key}`, 'a.b.c']],
    ['a verifier key', (key: string) => ['audit', 'verify', '.', `--key=${key}`]],
    ['a command', (key: string) => [key]],
  ])('prints no private key that is given as %s [F2]', async (_name, argv) => {
    const { privateKey } = generateKeyPairSync('ed25519');
    const pem = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
    const [, base64 = ''] = pem.split('\n');
    for (const text of [pem, pem.replaceAll('\n', '\\n'), base64]) {
      const { code, out, err } = await runCli(argv(text));
      expect(code).toBeGreaterThan(0);
      expect(out + err).not.toContain(base64.slice(30));
      expect(err).toContain('[a private key]');
    }
  });

  it.each([
    ['a command', (odd: string) => [odd]],
    ['a command of audit', (odd: string) => ['audit', odd]],
    ['an option', (odd: string) => ['keygen', `--${odd}`]],
    ['a choice', (odd: string) => ['audit', 'query', 'x', '--phase', odd]],
    ['a choice after an equals sign', (odd: string) => ['audit', 'query', 'x', `--phase=${odd}`]],
    ['an argument too many', (odd: string) => ['keygen', odd]],
  ])('escapes what a terminal obeys when it quotes %s [policy: what held]', async (_name, argv) => {
    const { code, err } = await runCli(argv('x\u001b[2J\r\u202e\ncountersign: all is well'));
    expect(code).toBe(2);
    expect(err.replaceAll('\n', '')).toMatch(/^[\x20-\x7e]*$/);
    expect(err).not.toMatch(/^countersign: all is well/m);
  });

  it('prints its version', async () => {
    const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as object;
    const answer = await runCli(['--version']);
    expect(answer).toMatchObject({ code: 0, err: '' });
    expect(manifest).toMatchObject({ version: answer.out.trim() });
  });

  it('exits with 2 and prints the error on standard error when the usage is wrong', async () => {
    for (const argv of [[], ['sign'], ['--nonsense'], ['inspect', 'a', 'b']]) {
      const { code, out, err } = await runCli(argv);
      expect({ code, out }).toEqual({ code: 2, out: '' });
      expect(err).toMatch(/countersign/);
    }
  });

  it('colours output only when colours are on', async () => {
    const key = '{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}';
    const escape = '\u001b[';
    const plain = await runCli(['inspect', key]);
    const coloured = await runCli(['inspect', key], { colour: { out: true, err: false } });
    expect(plain.out).not.toContain(escape);
    expect(coloured.out).toContain(escape);
    const wrong = await runCli(['inspect', '?'], { colour: { out: true, err: true } });
    expect(wrong.err).toContain(escape);
  });
});

describe('text', () => {
  it('prints a time and its distance from now', () => {
    expect(moment(1_700_000_000, 1_700_000_000)).toBe('2023-11-14T22:13:20Z (now)');
    expect(moment(1_700_000_000, 1_700_000_001)).toBe('2023-11-14T22:13:20Z (1 second ago)');
    expect(moment(1_700_000_000, 1_700_180_000)).toBe('2023-11-14T22:13:20Z (2 days ago)');
    expect(moment(1e300, 0)).toContain('not a time');
    expect([119, 120, 7200, 172_800].map(duration)).toEqual(['119 seconds', '2 minutes', '2 hours', '2 days']);
  });

  it('escapes every control character [F1]', () => {
    expect(printable('a\r\n\u001b\u0000\u202e\u2028\ud800ü😀')).toBe(
      'a\\u{d}\\u{a}\\u{1b}\\u{0}\\u{202e}\\u{2028}\\u{d800}ü😀',
    );
  });
});

const bin = fileURLToPath(new URL('../bin/countersign.js', import.meta.url));
const built = existsSync(fileURLToPath(new URL('../dist/index.js', import.meta.url)));
if (!built) console.warn('NOT RUN: bin/countersign.js was not tested, because the package is not built (tsc -b).');

describe.runIf(built)('bin/countersign.js', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'countersign-bin-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  function spawn(args: readonly string[], input = ''): { status: number | null; stdout: string; stderr: string } {
    return spawnSync(process.execPath, [bin, ...args], { cwd: folder, input, encoding: 'utf8', env: {} });
  }

  it('generates a key and explains it from standard input', () => {
    const made = spawn(['keygen', '--out', 'agent.key', '--id', 'agent-a', '--capabilities', 'repo:read']);
    expect(made.status).toBe(0);
    const shown = spawn(['inspect'], made.stdout);
    expect(shown).toMatchObject({ status: 0, stderr: '' });
    expect(shown.stdout).toContain('Registration of an agent');
    expect(made.stderr).toContain(/thumbprint +(\S+)/.exec(shown.stdout)?.[1] ?? 'no thumbprint');
  });

  it('exits with the documented codes', () => {
    expect(spawn(['--help']).status).toBe(0);
    expect(spawn(['inspect', '?'])).toMatchObject({ status: 2, stdout: '' });
    expect(spawn(['curl', 'GET', 'http://localhost/', '--key', 'missing'])).toMatchObject({ status: 1, stdout: '' });
  });
});
