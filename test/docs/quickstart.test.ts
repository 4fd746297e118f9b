import { readdir } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { adapters } from '../hosts/registry.js';
import type { Ran } from '../support/run.js';
import { blocksOf, readPage } from './blocks.js';
import { blockOf, Parcels } from './parcels.js';

const path = 'docs/quickstart.md';
const api = blockOf(path, 'createGuard({');

describe('the quickstart', () => {
  let parcels: Parcels;
  const play = (text: string): Promise<Ran> => parcels.play(blockOf(path, text));

  beforeAll(async () => {
    parcels = await Parcels.create();
  });
  afterAll(() => parcels.remove());

  it('generates a key, and registers it', async () => {
    expect(await play('keygen')).toMatchObject({ exitCode: 0 });
    expect(await readdir(parcels.folder)).toEqual(expect.arrayContaining(['agent.pem', 'agents.json']));
  });

  it('writes policies that pass the check, with the warning that it announces', async () => {
    await play('mkdir policies');
    await parcels.writePolicies();
    const { exitCode, stdout } = await play('policy check');
    expect(exitCode).toBe(0);
    expect(stdout).toContain('parcel.cancel');
  });

  it('starts the API', async () => {
    expect(blockOf(path, 'node api.mjs').trim()).toBe('node api.mjs');
    await parcels.start(api);
  });

  it('gets 200 when the request is permitted', async () => {
    const { exitCode, stdout } = await play('curl GET');
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toEqual({ id: '17', readBy: 'agent-courier' });
  });

  it('gets 403 policy_denied when it is not permitted', async () => {
    const { exitCode, stdout } = await play('curl DELETE');
    expect(exitCode).toBe(22);
    expect(JSON.parse(stdout)).toMatchObject({ status: 403, code: 'policy_denied' });
  });

  it('gets 401 signature_required when the request has no signature', async () => {
    const { stdout } = await play('curl http');
    expect(JSON.parse(stdout)).toMatchObject({ status: 401, code: 'signature_required' });
  });

  it('shows all three in the log, and verifies it once the API has stopped', async () => {
    const { stdout } = await play('audit query');
    for (const text of ['parcel.read', 'parcels.cedar#courier-reads', 'policy_denied', 'signature_required']) {
      expect(stdout).toContain(text);
    }
    await parcels.stop();
    expect(await play('audit verify')).toMatchObject({ exitCode: 0 });
  });
});

it('the quickstart has no command that is not run here except the installation', () => {
  const played = ['keygen', 'mkdir policies', 'policy check', 'node api.mjs', 'curl', 'audit query', 'audit verify'];
  const others = blocksOf(readPage(path)).filter(({ language, code }) => {
    return language === 'sh' && !played.some((text) => code.includes(text));
  });
  expect(others).toHaveLength(2);
  for (const { code } of others) expect(code).toMatch(/pack:all|npm install/);
});

const others = blocksOf(readPage('docs/quickstart-frameworks.md'))
  .filter(({ language }) => language === 'js')
  .map(({ code }): [string, string] => [/@countersign\/(?!core)([\w-]+)/.exec(code)?.[1] ?? '', code]);

describe('the quickstart on other frameworks', () => {
  it('is there for every adapter', () => {
    expect(['express', ...others.map(([name]) => name)].toSorted()).toEqual(
      adapters.map(({ name }) => name).toSorted(),
    );
  });

  it.each(others)('answers on %s as on Express', async (_name, other) => {
    const parcels = await Parcels.running(other);
    onTestFinished(() => parcels.remove());
    const permitted = await parcels.play(blockOf(path, 'curl GET'));
    expect(JSON.parse(permitted.stdout)).toEqual({ id: '17', readBy: 'agent-courier' });
    const denied = await parcels.play(blockOf(path, 'curl DELETE'));
    expect(JSON.parse(denied.stdout)).toMatchObject({ status: 403, code: 'policy_denied' });
    const unsigned = await parcels.play(blockOf(path, 'curl http'));
    expect(JSON.parse(unsigned.stdout)).toMatchObject({ status: 401, code: 'signature_required' });
    await parcels.stop();
  });
});
