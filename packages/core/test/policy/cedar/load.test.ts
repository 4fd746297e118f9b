import { EventEmitter, once } from 'node:events';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ConfigError } from '../../../src/config-error.js';
import { type CedarSource } from '../../../src/policy/cedar/engine.js';
import { type CedarFromDirectoryOptions, cedarFromDirectory, cedarFromText } from '../../../src/policy/cedar/load.js';
import type { ReloadResult } from '../../../src/live-file.js';
import { putFile } from '../../put-file.js';
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

describe('cedarFromDirectory', () => {
  it('reads policies and schema, and nothing else', async () => {
    const path = await folder({
      'drafts.cedar': DRAFTS,
      'freeze.cedar': '@id("freeze") forbid(principal, action == Action::"pr.merge", resource);',
      'repo.cedarschema': REPO_SCHEMA,
      'notes.md': 'permit(principal, action, resource);',
      'old.cedar.bak': 'permit(principal, action, resource);',
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

  it('decides, and hashes, as the same texts do from memory', async () => {
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

  it('G5 refuses a folder that is missing or has no policy', async () => {
    await expect(cedarFromDirectory(join(root, 'none'))).rejects.toThrow(
      /none'\): the folder cannot be read .*Create it/,
    );
    await expect(cedarFromDirectory(await folder({}))).rejects.toThrow(/no policy at all/);
    await expect(cedarFromDirectory(await folder({ 's.cedarschema': REPO_SCHEMA }))).rejects.toThrow(
      /no policy at all/,
    );
  });

  it('D6 refuses to start on any problem, naming file and line', async () => {
    const path = await folder({ 'good.cedar': DRAFTS, 'bad.cedar': '\n\npermit(principal, action);' });
    await expect(cedarFromDirectory(path)).rejects.toThrow(/bad\.cedar:3: /);
    await expect(cedarFromDirectory(path)).rejects.toBeInstanceOf(ConfigError);
  });

  it('refuses what is not UTF-8', async () => {
    const path = await folder({ 'a.cedar': Uint8Array.of(0x2f, 0x2f, 0xff) });
    await expect(cedarFromDirectory(path)).rejects.toThrow(/a\.cedar is not UTF-8/);
  });
});

describe('a folder that changes', () => {
  const MERGE = '@id("merge") permit(principal, action == Action::"pr.merge", resource);';
  const merge = reviewerQuery({ action: 'pr.merge' });

  it('D6 D13 takes effect by reload(), whole or not at all', async () => {
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
      engine.replace({ policies: { 'drafts.cedar': DRAFTS }, schema: { 'repo.cedarschema': REPO_SCHEMA } }).ok,
    ).toBe(true);
    expect(engine.policySet).toBe(before);
    expect(engine.decide(merge).decision).toBe('deny');
  });

  it('D6 takes effect by itself when it is watched, and problems are told', async () => {
    const path = await folder({ 'drafts.cedar': DRAFTS, 'repo.cedarschema': REPO_SCHEMA });
    const told: ReloadResult[] = [];
    const notices = new EventEmitter();
    const onReload = (result: ReloadResult): void => {
      told.push(result);
      notices.emit('reload');
    };
    const next = (): Promise<unknown> => once(notices, 'reload');
    const engine = await cedarFromDirectory(path, { watch: true, onReload, pollSeconds: 0.05 });
    let reloaded = next();
    await putFile(join(path, 'merge.cedar'), MERGE);
    await reloaded;
    expect(engine.decide(merge).decision).toBe('allow');
    reloaded = next();
    await putFile(join(path, 'bad.cedar'), 'permit(');
    await reloaded;
    expect(told.at(-1)).toMatchObject({ ok: false });
    expect(engine.decide(merge).decision).toBe('allow');
    engine.close();
  });

  it('may hold entities', async () => {
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

  it('D6 a schema that is gone stops a reload, and the old one stays', async () => {
    const path = await folder({ 'drafts.cedar': DRAFTS, 'repo.cedarschema': REPO_SCHEMA });
    const engine = await cedarFromDirectory(path);
    const before = engine.policySet;
    const lost = { ok: false, problem: expect.stringContaining('had a schema, and now there is none') };
    await rename(join(path, 'repo.cedarschema'), join(path, 'repo.txt'));
    expect(await engine.reload()).toEqual(lost);
    expect(engine.replace({ policies: DRAFTS })).toEqual(lost);
    expect(engine.policySet).toBe(before);
    expect(engine.decide(reviewerQuery({ action: 'pr.close' })).cause).toBe('error');
    await rename(join(path, 'repo.txt'), join(path, 'repo.cedarschema'));
    expect(await engine.reload()).toEqual({ ok: true });
  });

  it('D6 a misspelt member of an entity stops a reload', async () => {
    const policies = `permit(principal, action, resource);
      forbid(principal, action, resource) when { context.onBehalfOf in Group::"blocked" };`;
    const blocked = JSON.stringify([{ type: 'User', id: 'user_123', parents: [{ type: 'Group', id: 'blocked' }] }]);
    const path = await folder({ 'a.cedar': policies, 'entities.json': blocked });
    const engine = await cedarFromDirectory(path);
    await writeFile(join(path, 'entities.json'), blocked.replace('parents', 'parent'));
    expect(await engine.reload()).toMatchObject({ ok: false, problem: expect.stringContaining("'parents'?") });
    expect(engine.decide(reviewerQuery())).toMatchObject({ decision: 'deny', cause: 'policy' });
  });

  it('G5 refuses options that are wrong', async () => {
    const path = await folder({ 'a.cedar': DRAFTS });
    for (const options of [{ wach: true }, { watch: 1 }, { onReload: 1 }, { pollSeconds: 0 }]) {
      await expect(cedarFromDirectory(path, options as CedarFromDirectoryOptions)).rejects.toThrow(ConfigError);
    }
  });
});

describe('cedarFromText', () => {
  it('takes named texts', async () => {
    const engine = await cedarFromText({
      policies: { 'drafts.cedar': DRAFTS },
      schema: { 'repo.cedarschema': REPO_SCHEMA },
    });
    expect(engine.decide(reviewerQuery()).policies).toEqual(['drafts.cedar#drafts']);
  });

  it('G5 refuses a misspelt option, as schema would be skipped in silence', async () => {
    const source = { policies: DRAFTS, shema: REPO_SCHEMA } as CedarSource;
    await expect(cedarFromText(source)).rejects.toThrow(/unknown option 'shema'. Did you mean 'schema'/);
  });

  it('G5 refuses what is no text', async () => {
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
