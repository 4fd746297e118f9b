import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { mkdir, mkdtemp, open, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { ConfigError, type ReloadResult } from '@countersign/common';
import type { CedarEngine, CedarSource } from '../../src/cedar/engine.js';
import { type CedarFromDirectoryOptions, cedarFromDirectory, cedarFromText } from '../../src/cedar/from-source.js';
import { patiently } from '../../../../test/support/patiently.js';
import { fakeTime, halfASecond, hasten } from '../../../common/test/files/hasten.js';
import { putFile } from '../../../core/test/put-file.js';
import { DRAFTS, REPO_SCHEMA, reviewerQuery } from '../query.js';

const root = await mkdtemp(join(tmpdir(), 'countersign-policies-'));
afterAll(() => rm(root, { recursive: true }));

let count = 0;
async function folder(files: Record<string, string | Uint8Array>): Promise<string> {
  const path = join(root, String(count++));
  await mkdir(path);
  for (const [name, content] of Object.entries(files)) await writeFile(join(path, name), content);
  return path;
}

fakeTime();

describe('cedarFromDirectory', () => {
  it('reads policies and schema, and no other files', async () => {
    const path = await folder({
      'drafts.cedar': DRAFTS,
      'freeze.cedar': '@id("freeze") forbid(principal, action == Action::"pr.merge", resource);',
      'repo.cedarschema': REPO_SCHEMA,
      'notes.md': 'permit(principal, action, resource);',
      README: 'permit(principal, action, resource);',
      'cases.yaml': '[]',
      '.drafts.cedar.swp': 'permit(principal, action, resource);',
    });
    const engine = await cedarFromDirectory(path);
    expect(engine.decide(reviewerQuery())).toMatchObject({ decision: 'allow', policies: ['drafts.cedar#drafts'] });
    expect(engine.decide(reviewerQuery({ action: 'pr.merge' }))).toMatchObject({
      decision: 'deny',
      cause: 'policy',
      policies: ['freeze.cedar#freeze'],
    });
    expect(engine.decide(reviewerQuery({ action: 'pr.close' })).cause).toBe('error');
    expect(engine.scopeVocabulary).toEqual(['pr:write:draft']);
  });

  it('passes over what editors leave beside the policies, and follows the folder [G5]', async () => {
    const path = await folder({
      'drafts.cedar': DRAFTS,
      'drafts.cedar~': 'x',
      'drafts.cedar.~1~': 'x',
      '#drafts.cedar#': 'x',
      '._drafts.cedar': 'x',
    });
    // The lock of Emacs leads to nothing.
    await symlink('me@host.1:2', join(path, '.#drafts.cedar'));
    const engine = await cedarFromDirectory(path, { watch: false });
    expect(engine.decide(reviewerQuery())).toMatchObject({ decision: 'allow', policies: ['drafts.cedar#drafts'] });
    await putFile(join(path, 'freeze.cedar'), '@id("freeze") forbid(principal, action, resource);');
    await engine.reload();
    expect(engine.decide(reviewerQuery())).toMatchObject({ decision: 'deny', policies: ['freeze.cedar#freeze'] });
  });

  it('has the decisions and hash of the same texts from memory', async () => {
    const fromDirectory = await cedarFromDirectory(
      await folder({ 'policies.cedar': DRAFTS, 'schema.cedarschema': REPO_SCHEMA }),
    );
    const fromText = await cedarFromText({ policies: DRAFTS, schema: REPO_SCHEMA });
    expect(fromDirectory.policySet).toBe(fromText.policySet);
  });

  it('reads files with a byte order mark and CRLF', async () => {
    const engine = await cedarFromDirectory(await folder({ 'a.cedar': `\ufeff${DRAFTS.replaceAll('\n', '\r\n')}` }));
    expect(engine.decide(reviewerQuery()).decision).toBe('allow');
  });

  it('refuses a folder that is missing or has no policy [G5]', async () => {
    await expect(cedarFromDirectory(join(root, 'none'))).rejects.toThrow(
      /none'\): the folder cannot be read .*Create it/,
    );
    await expect(cedarFromDirectory(await folder({}))).rejects.toThrow(/no policy at all/);
    await expect(cedarFromDirectory(await folder({ 's.cedarschema': REPO_SCHEMA }))).rejects.toThrow(
      /no policy at all/,
    );
  });

  it('refuses to start on any problem, with file and line [D6]', async () => {
    const path = await folder({ 'good.cedar': DRAFTS, 'bad.cedar': '\n\npermit(principal, action);' });
    await expect(cedarFromDirectory(path)).rejects.toThrow(/bad\.cedar:3: /);
    await expect(cedarFromDirectory(path)).rejects.toBeInstanceOf(ConfigError);
  });

  it('refuses files that are not UTF-8', async () => {
    const path = await folder({ 'a.cedar': Uint8Array.of(0x2f, 0x2f, 0xff) });
    await expect(cedarFromDirectory(path)).rejects.toThrow(/a\.cedar is not UTF-8/);
  });
});

describe('a folder that changes', () => {
  const MERGE = '@id("merge") permit(principal, action == Action::"pr.merge", resource);';
  const merge = reviewerQuery({ action: 'pr.merge' });

  it('is reloaded atomically by reload() [D6, D13]', async () => {
    const path = await folder({ 'drafts.cedar': DRAFTS, 'repo.cedarschema': REPO_SCHEMA });
    const engine = await cedarFromDirectory(path);
    const before = engine.policySet;
    expect(engine.decide(merge).decision).toBe('deny');
    await writeFile(join(path, 'merge.cedar'), MERGE);
    expect(engine.decide(merge).decision).toBe('deny');
    expect(await engine.reload()).toEqual({ ok: true });
    expect(engine.decide(merge)).toMatchObject({ decision: 'allow', policies: ['merge.cedar#merge'] });
    const after = engine.policySet;

    await writeFile(join(path, 'bad.cedar'), 'permit(');
    expect(await engine.reload()).toMatchObject({ ok: false, problem: expect.stringContaining('bad.cedar:1') });
    await rm(path, { recursive: true });
    expect(await engine.reload()).toMatchObject({ ok: false, problem: expect.stringContaining('cannot be read') });
    expect(engine.decide(merge).decision).toBe('allow');
    expect(engine.policySet).toBe(after);

    expect(
      (await engine.replace({ policies: { 'drafts.cedar': DRAFTS }, schema: { 'repo.cedarschema': REPO_SCHEMA } })).ok,
    ).toBe(true);
    expect(engine.policySet).toBe(before);
    expect(engine.decide(merge).decision).toBe('deny');
  });

  it('is reloaded by reload() alone when it is not followed', async () => {
    const path = await folder({ 'drafts.cedar': DRAFTS, 'repo.cedarschema': REPO_SCHEMA });
    const engine = await cedarFromDirectory(path, { watch: false });
    await putFile(join(path, 'merge.cedar'), MERGE);
    // Six seconds, and a poll comes every five.
    for (let count = 0; count < 12; count++) await halfASecond();
    expect(engine.decide(merge).decision).toBe('deny');
    expect(await engine.reload()).toEqual({ ok: true });
    expect(engine.decide(merge).decision).toBe('allow');
  });

  it('is reloaded when it changes, and problems are reported [D6]', async () => {
    const path = await folder({ 'drafts.cedar': DRAFTS, 'repo.cedarschema': REPO_SCHEMA });
    const told: ReloadResult[] = [];
    const notices = new EventEmitter();
    const onReload = (result: ReloadResult): void => {
      told.push(result);
      notices.emit('reload');
    };
    const next = (): Promise<unknown> => once(notices, 'reload');
    const engine = await cedarFromDirectory(path, { onReload, pollSeconds: 0.05 });
    let reloaded = next();
    await putFile(join(path, 'merge.cedar'), MERGE);
    await hasten(reloaded);
    expect(engine.decide(merge).decision).toBe('allow');
    reloaded = next();
    await putFile(join(path, 'bad.cedar'), 'permit(');
    await hasten(reloaded);
    expect(told.at(-1)).toMatchObject({ ok: false });
    expect(engine.decide(merge).decision).toBe('allow');
    engine.close();
  });

  it('does not undo a replacement by a change that was made before it [D6]', async () => {
    const path = await folder({ 'drafts.cedar': DRAFTS });
    const told: ReloadResult[] = [];
    const notices = new EventEmitter();
    function onReload(result: ReloadResult): void {
      told.push(result);
      notices.emit('reload');
    }
    const engine = await cedarFromDirectory(path, { onReload, pollSeconds: 0.05 });
    await putFile(join(path, 'merge.cedar'), MERGE);
    await halfASecond();
    expect(await engine.replace({ policies: 'forbid(principal, action, resource);' })).toEqual({ ok: true });
    const frozen = engine.policySet;
    for (let count = 0; count < 6; count++) await halfASecond();
    expect(told).toEqual([]);
    expect(engine.policySet).toBe(frozen);

    const reloaded = once(notices, 'reload');
    await putFile(join(path, 'more.cedar'), '@id("more") permit(principal, action == Action::"more", resource);');
    await hasten(reloaded);
    expect(told).toEqual([{ ok: true }]);
    expect(engine.decide(merge).decision).toBe('allow');
    engine.close();
  });

  it('loads a change that was made before a replacement that is refused [D6]', async () => {
    const path = await folder({ 'merge.cedar': MERGE, 'repo.cedarschema': REPO_SCHEMA });
    const notices = new EventEmitter();
    const onReload = (result: ReloadResult): void => void notices.emit('reload', result);
    // Without a poll, the change is noticed once.
    const engine = await cedarFromDirectory(path, { onReload, pollSeconds: 3600 });
    const reloaded = once(notices, 'reload');
    await putFile(join(path, 'freeze.cedar'), 'forbid(principal, action, resource);');
    await halfASecond();
    expect(await engine.replace({ policies: MERGE })).toMatchObject({ ok: false });
    await hasten(reloaded);
    expect(await reloaded).toEqual([{ ok: true }]);
    expect(engine.decide(merge).decision).toBe('deny');
    engine.close();
  });

  it.each([true, false])('decides nothing once it is closed (watch: %s) [G5]', async (watch) => {
    const path = await folder({ 'drafts.cedar': DRAFTS, 'merge.cedar': MERGE, 'repo.cedarschema': REPO_SCHEMA });
    const engine = await cedarFromDirectory(path, { watch });
    expect(engine.decide(merge).decision).toBe('allow');
    engine.close();
    const problem = 'it was closed, so its files are not followed. Open it again.';
    expect(() => engine.decide(merge)).toThrow(`cedarFromDirectory('${path}'): ${problem}`);
    await expect(engine.decideMany(merge, [merge.resource])).rejects.toThrow(problem);
    expect(await engine.reload()).toEqual({ ok: false, problem });
  });

  it('may contain entities', async () => {
    const policies = 'permit(principal in Role::"engineer", action, resource);';
    const entities = [{ type: 'Role', id: 'reviewer', parents: [{ type: 'Role', id: 'engineer' }] }];
    const path = await folder({ 'a.cedar': policies, 'entities.json': JSON.stringify(entities) });
    expect((await cedarFromDirectory(path)).decide(reviewerQuery()).decision).toBe('allow');
    for (const content of ['{', '{}', '"x"', '[1]']) {
      await expect(cedarFromDirectory(await folder({ 'a.cedar': policies, 'entities.json': content }))).rejects.toThrow(
        ConfigError,
      );
    }
    const broken = folder({ 'a.cedar': policies, 'entities.json': '[\n  {"type": "Role",}\n]' });
    await expect(cedarFromDirectory(await broken)).rejects.toThrow(/'\): entities\.json:2:19: it is not/);
  });

  it('keeps the old policies when the schema is missing [D6]', async () => {
    const path = await folder({ 'drafts.cedar': DRAFTS, 'repo.cedarschema': REPO_SCHEMA });
    const engine = await cedarFromDirectory(path);
    const before = engine.policySet;
    const lost = { ok: false, problem: expect.stringContaining('had a schema, and now there is none') };
    await rename(join(path, 'repo.cedarschema'), join(path, 'repo.md'));
    expect(await engine.reload()).toEqual(lost);
    expect(await engine.replace({ policies: DRAFTS })).toEqual(lost);
    expect(engine.policySet).toBe(before);
    expect(engine.decide(reviewerQuery({ action: 'pr.close' })).cause).toBe('error');
    await rename(join(path, 'repo.md'), join(path, 'repo.cedarschema'));
    expect(await engine.reload()).toEqual({ ok: true });
  });

  it('keeps the old policies when a member of an entity is misspelt [D6]', async () => {
    const policies = `permit(principal, action, resource);
      forbid(principal, action, resource) when { context.onBehalfOf in Group::"blocked" };`;
    const blocked = JSON.stringify([{ type: 'User', id: 'user_123', parents: [{ type: 'Group', id: 'blocked' }] }]);
    const path = await folder({ 'a.cedar': policies, 'entities.json': blocked });
    const engine = await cedarFromDirectory(path);
    await writeFile(join(path, 'entities.json'), blocked.replace('parents', 'parent'));
    expect(await engine.reload()).toMatchObject({ ok: false, problem: expect.stringContaining("'parents'?") });
    expect(engine.decide(reviewerQuery())).toMatchObject({ decision: 'deny', cause: 'policy' });
  });

  it('refuses invalid options [G5]', async () => {
    const path = await folder({ 'a.cedar': DRAFTS });
    for (const options of [{ wach: true }, { watch: 1 }, { onReload: 1 }, { pollSeconds: 0 }]) {
      await expect(cedarFromDirectory(path, options as CedarFromDirectoryOptions)).rejects.toThrow(ConfigError);
    }
  });
});

describe('a folder that changes during a read', () => {
  const FORBIDS = '@id("freeze") forbid(principal, action, resource);';
  const forbidden = { decision: 'deny', cause: 'policy', policies: ['freeze.cedar#freeze'] };

  /** Watches a folder that permits drafts and forbids everything. Returns the reloads one by one. */
  async function followed(
    files: Record<string, string>,
  ): Promise<{ path: string; engine: CedarEngine; nextReload: () => Promise<ReloadResult> }> {
    const path = await folder({ 'drafts.cedar': DRAFTS, 'freeze.cedar': FORBIDS, ...files });
    const told: ReloadResult[] = [];
    const onReload = (result: ReloadResult): void => void told.push(result);
    const engine = await cedarFromDirectory(path, { onReload, pollSeconds: 0.5 });
    onTestFinished(() => engine.close());
    const nextReload = async (): Promise<ReloadResult> => {
      await hasten(vi.waitFor(() => expect(told).toHaveLength(1), patiently));
      return told.pop() as ReloadResult;
    };
    return { path, engine, nextReload };
  }

  it.each(['', '// Nothing is forbidden before the freeze.\n'])(
    'keeps the policies when %j is left of a file, and refuses to start on it [K1]',
    async (content) => {
      const { path, engine, nextReload } = await followed({});
      await writeFile(join(path, 'freeze.cedar'), content);
      const problem = 'freeze.cedar:1: there is no policy in this file. Write one, or remove the file.';
      expect(await nextReload()).toEqual({ ok: false, problem });
      expect(engine.decide(reviewerQuery())).toMatchObject(forbidden);
      await expect(cedarFromDirectory(path)).rejects.toThrow(problem);
    },
  );

  it('is loaded only when a file that is written in place is complete [K1]', async () => {
    const { path, engine, nextReload } = await followed({});
    const before = engine.policySet;
    const sets = new Set<string>();
    const file = await open(join(path, 'freeze.cedar'), 'w');
    for (const policy of [
      '@id("one") permit(principal, action, resource);',
      FORBIDS,
      '@id("two") ' + DRAFTS.slice(DRAFTS.indexOf('permit')),
    ]) {
      await file.write(policy);
      await halfASecond();
      sets.add(engine.policySet);
      expect(engine.decide(reviewerQuery())).toMatchObject(forbidden);
    }
    await file.close();
    expect([...sets]).toEqual([before]);
    expect(await nextReload()).toEqual({ ok: true });
    expect(engine.policies.map(({ id }) => id)).toContain('freeze.cedar#two');
  });

  it('is reloaded after a change that keeps size and time [K3]', async () => {
    const past = new Date(0);
    const permit = '@id("x") permit(principal, action, resource); ';
    const { path, engine, nextReload } = await followed({});
    await putFile(join(path, 'freeze.cedar'), permit);
    await utimes(join(path, 'freeze.cedar'), past, past);
    expect(await nextReload()).toEqual({ ok: true });
    expect(engine.decide(reviewerQuery()).decision).toBe('allow');
    await writeFile(join(path, 'freeze.cedar'), permit.replace('permit', 'forbid'));
    await utimes(join(path, 'freeze.cedar'), past, past);
    expect(await nextReload()).toEqual({ ok: true });
    expect(engine.decide(reviewerQuery()).decision).toBe('deny');
  });

  it.skipIf(process.platform === 'win32')('reports a pipe, and is reloaded after the next change [K5]', async () => {
    const { path, engine, nextReload } = await followed({});
    execFileSync('mkfifo', [join(path, 'pipe.cedar')]);
    const problem = `'${join(path, 'pipe.cedar')}' is not a regular file`;
    expect(await nextReload()).toEqual({ ok: false, problem });
    expect(engine.decide(reviewerQuery())).toMatchObject(forbidden);
    await rm(join(path, 'pipe.cedar'));
    expect(await nextReload()).toEqual({ ok: true });
  });

  it('may be a ConfigMap, whose files are swapped atomically [K4]', async () => {
    const path = await folder({});
    const release = async (name: string, files: Record<string, string>): Promise<void> => {
      await mkdir(join(path, name));
      for (const [file, content] of Object.entries(files)) await writeFile(join(path, name, file), content);
      await symlink(name, join(path, '..data_tmp'));
      await rename(join(path, '..data_tmp'), join(path, '..data'));
    };
    await release('..2026_11_26_08_00_00.1', { 'drafts.cedar': DRAFTS, 'freeze.cedar': FORBIDS });
    for (const file of ['drafts.cedar', 'freeze.cedar']) await symlink(`..data/${file}`, join(path, file));
    const told: ReloadResult[] = [];
    const onReload = (result: ReloadResult): void => void told.push(result);
    const engine = await cedarFromDirectory(path, { onReload, pollSeconds: 3600 });
    onTestFinished(() => engine.close());
    expect(engine.decide(reviewerQuery())).toMatchObject(forbidden);
    await release('..2026_11_26_09_00_00.2', {
      'drafts.cedar': DRAFTS,
      'freeze.cedar': '@id("freeze") forbid(principal, action == Action::"pr.merge", resource);',
    });
    await rm(join(path, '..2026_11_26_08_00_00.1'), { recursive: true });
    await hasten(vi.waitFor(() => expect(told).toEqual([{ ok: true }]), patiently));
    expect(engine.decide(reviewerQuery()).decision).toBe('allow');
  });

  it.each([
    [10, 10],
    [60, 60],
    [150, 150],
    [150, 10_000],
  ])(
    'is loaded as one release when its link is swapped during the start, after %i turns, and back after %i [K4]',
    async (turns, turnsBack) => {
      const names = Array.from({ length: 60 }, (_, index) => `${String(index).padStart(2, '0')}.cedar`);
      const releasesIn = await folder({});
      for (const release of ['one', 'two']) {
        await mkdir(join(releasesIn, release));
        for (const name of names) {
          await writeFile(
            join(releasesIn, release, name),
            `@id("${release}-${name}") permit(principal, action, resource);`,
          );
        }
      }
      await symlink('one', join(releasesIn, 'current'));
      await symlink('two', join(releasesIn, 'next'));
      await symlink('one', join(releasesIn, 'again'));
      const starting = cedarFromDirectory(join(releasesIn, 'current'));
      for (let turn = 0; turn < turns; turn++) await setImmediate();
      await rename(join(releasesIn, 'next'), join(releasesIn, 'current'));
      for (let turn = 0; turn < turnsBack; turn++) await setImmediate();
      await rename(join(releasesIn, 'again'), join(releasesIn, 'current'));
      const { policies } = await hasten(starting);
      const releases = new Set(policies.map(({ id }) => id.split('#')[1]?.split('-')[0]));
      expect([policies.length, releases.size]).toEqual([names.length, 1]);
    },
  );

  it.each([
    'Entities.json',
    'entity.json',
    'sha256sums',
    'SHA256SUMS.txt',
    'freeze.CEDAR',
    'freeze.ceder',
    'freeze.cedar.txt',
    'freeze.cedar.bak',
    'freeze.cedar~',
    'freeze.cedar ',
    'sub/entities.json',
    'sub/deep/freeze.cedar',
  ])('is refused with %j, which would not be read [K8]', async (name) => {
    const path = await folder({ 'drafts.cedar': DRAFTS });
    const engine = await cedarFromDirectory(path);
    await mkdir(dirname(join(path, name)), { recursive: true });
    await writeFile(join(path, name), FORBIDS);
    const problem = `${JSON.stringify(name.split('/')[0])} would not be read`;
    await expect(cedarFromDirectory(path)).rejects.toThrow(problem);
    expect(await engine.reload()).toEqual({ ok: false, problem: expect.stringContaining(problem) });
  });

  it('may hold an empty folder', async () => {
    const path = await folder({ 'drafts.cedar': DRAFTS });
    await mkdir(join(path, 'lost+found'));
    await expect(cedarFromDirectory(path)).resolves.toBeDefined();
  });

  it('is refused without its entities after it had some, and accepts an empty list [K9]', async () => {
    const entities = [{ type: 'User', id: 'mallory', parents: [{ type: 'Group', id: 'suspended' }] }];
    const path = await folder({ 'drafts.cedar': DRAFTS, 'entities.json': JSON.stringify(entities) });
    const engine = await cedarFromDirectory(path);
    const before = engine.policySet;
    await rm(join(path, 'entities.json'));
    const problem = expect.stringContaining('had entities (entities.json), and now there are none');
    expect(await engine.reload()).toEqual({ ok: false, problem });
    expect(engine.policySet).toBe(before);
    expect(await engine.replace({ policies: DRAFTS })).toEqual({ ok: false, problem });
    await writeFile(join(path, 'entities.json'), '[]');
    expect(await engine.reload()).toEqual({ ok: true });
    await rm(join(path, 'entities.json'));
    expect(await engine.reload()).toEqual({ ok: true });
  });

  it('is the one that its path named at the start [G6]', async () => {
    const path = await folder({ 'drafts.cedar': DRAFTS });
    const cwd = vi.spyOn(process, 'cwd').mockReturnValue(dirname(path));
    const starting = cedarFromDirectory(basename(path));
    cwd.mockRestore();
    expect(await (await starting).reload()).toEqual({ ok: true });
  });

  it('must be named [G5]', async () => {
    await expect(cedarFromDirectory('')).rejects.toThrow(ConfigError);
  });

  it.each(['forbids', 'README', 'old.yaml'])(
    'is refused with policies in the folder %s, which would not be read [K8]',
    async (name) => {
      const path = await folder({ 'drafts.cedar': DRAFTS });
      await mkdir(join(path, name));
      await writeFile(join(path, name, 'freeze.cedar'), FORBIDS);
      await expect(cedarFromDirectory(path)).rejects.toThrow(`"${name}" would not be read`);
    },
  );
});

/** The output of sha256sum for files. */
function sums(files: Record<string, string>): string {
  const lines = Object.entries(files).map(
    ([name, text]) => `${createHash('sha256').update(text).digest('hex')}  ${name}\n`,
  );
  return lines.join('');
}

describe('a folder with SHA256SUMS', () => {
  const FORBIDS = '@id("freeze") forbid(principal, action == Action::"pr.merge", resource);\n';
  const FILES = { 'drafts.cedar': DRAFTS, 'forbids.cedar': `${FORBIDS}forbid(principal, action, resource);` };

  it('is loaded when every digest matches [K1]', async () => {
    for (const manifest of [sums(FILES), sums(FILES).replaceAll('  ', ' *').replaceAll('\n', '\r\n')]) {
      const engine = await cedarFromDirectory(await folder({ ...FILES, SHA256SUMS: manifest }));
      expect(engine.policies).toHaveLength(3);
    }
  });

  it.runIf(process.platform === 'linux')('accepts the output of sha256sum', async () => {
    const path = await folder({ ...FILES, 'repo.cedarschema': REPO_SCHEMA, 'entities.json': '[]' });
    execFileSync('sh', ['-c', 'sha256sum *.cedar *.cedarschema entities.json > SHA256SUMS'], { cwd: path });
    expect((await cedarFromDirectory(path)).policies).toHaveLength(3);
  });

  const { 'forbids.cedar': forbids, ...drafts } = FILES;
  it.each<[string, Record<string, string>, RegExp]>([
    [
      'ends between two policies',
      { 'forbids.cedar': FORBIDS },
      /forbids\.cedar does not match its digest in SHA256SUMS/,
    ],
    ['is not named', { 'more.cedar': FORBIDS }, /SHA256SUMS does not list more\.cedar/],
    ['is not named: a schema', { 'repo.cedarschema': REPO_SCHEMA }, /SHA256SUMS does not list repo\.cedarschema/],
    ['is named and missing', { SHA256SUMS: sums({ ...FILES, 'x.cedar': '' }) }, /lists "x\.cedar", which is not read/],
    ['is named and never read', { SHA256SUMS: sums({ ...FILES, 'a.md': '' }), 'a.md': '' }, /lists "a\.md"/],
    ['is named twice', { SHA256SUMS: sums(FILES) + sums(drafts) }, /SHA256SUMS:3: expected/],
    ['is named by half a line', { SHA256SUMS: sums(FILES).slice(0, -30) }, /SHA256SUMS:2: expected/],
    ['is SHA256SUMS, empty', { SHA256SUMS: '' }, /SHA256SUMS:1: expected/],
  ])('stops the start, and later keeps the policies, when a file %s [K1]', async (_, change, message) => {
    const right = { ...FILES, SHA256SUMS: sums(FILES) };
    await expect(cedarFromDirectory(await folder({ ...right, ...change }))).rejects.toThrow(message);

    const path = await folder(right);
    const engine = await cedarFromDirectory(path);
    for (const [name, content] of Object.entries(change)) await writeFile(join(path, name), content);
    expect(await engine.reload()).toMatchObject({ ok: false, problem: expect.stringMatching(message) });
    expect(engine.policies.map(({ text }) => text)).toContain(forbids.slice(FORBIDS.length));
  });

  it('keeps the old policies when the manifest is missing [K1]', async () => {
    const path = await folder({ ...FILES, SHA256SUMS: sums(FILES) });
    const engine = await cedarFromDirectory(path);
    await rm(join(path, 'SHA256SUMS'));
    expect(await engine.reload()).toMatchObject({ ok: false, problem: expect.stringContaining('SHA256SUMS is gone') });
    await writeFile(join(path, 'SHA256SUMS'), sums(FILES));
    expect(await engine.reload()).toEqual({ ok: true });
  });
});

describe('cedarFromText', () => {
  it('accepts named texts', async () => {
    const engine = await cedarFromText({
      policies: { 'drafts.cedar': DRAFTS },
      schema: { 'repo.cedarschema': REPO_SCHEMA },
    });
    expect(engine.decide(reviewerQuery()).policies).toEqual(['drafts.cedar#drafts']);
  });

  it('refuses a misspelt option [G5]', async () => {
    const source = { policies: DRAFTS, shema: REPO_SCHEMA } as CedarSource;
    await expect(cedarFromText(source)).rejects.toThrow(/unknown option 'shema'. Did you mean 'schema'/);
  });

  it('refuses values that are not text [G5]', async () => {
    for (const source of [
      undefined,
      null,
      'permit',
      {},
      { policies: 1 },
      { policies: { a: 1 } },
      { policies: DRAFTS, schema: 1 },
    ]) {
      await expect(cedarFromText(source as unknown as CedarSource)).rejects.toBeInstanceOf(ConfigError);
    }
  });
});
