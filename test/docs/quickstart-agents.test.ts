import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { reportMissing } from '../support/required.js';
import { run } from '../support/run.js';
import { root } from '../support/workspace.js';
import { blockOf, Parcels } from './parcels.js';

const path = 'docs/quickstart-agents.md';
const block = (text: string): string => blockOf(path, text);

const installed = join(root, 'clients/python/.venv/bin/python');
const python = process.env['COUNTERSIGN_PYTHON_CLIENT'] ?? (existsSync(installed) ? installed : 'python3');
const hasPython =
  spawnSync(python, ['-c', 'import countersign, httpx']).status === 0 ||
  reportMissing('python-client', `skipped: the quickstart in Python. ${python} lacks the client.`) !== undefined;
const offline = { ...process.env, GOTOOLCHAIN: 'local', GOFLAGS: '-mod=mod', GOWORK: 'off' };
const hasGo =
  spawnSync('go', ['vet', '.'], { cwd: join(root, 'clients/go'), env: offline }).status === 0 ||
  reportMissing('go-client', 'skipped: the quickstart in Go. It needs Go 1.25 or newer on the PATH.') !== undefined;

const rustClient = join(root, 'clients/rust');
// One folder, so that no crate is compiled twice.
const offlineRust = { ...process.env, CARGO_NET_OFFLINE: 'true', CARGO_TARGET_DIR: join(rustClient, 'target') };
const hasRust =
  spawnSync('cargo', ['fetch', '--locked', '--offline'], { cwd: rustClient }).status === 0 ||
  reportMissing('rust-client', 'skipped: the quickstart in Rust. It needs cargo, and the crates of clients/rust.') !==
    undefined;

describe('docs/quickstart-agents.md', () => {
  let parcels: Parcels;
  beforeAll(async () => {
    parcels = await Parcels.running(blockOf('docs/quickstart.md', 'createGuard({'));
  });
  afterAll(() => parcels.remove());

  it('reads and is denied in JavaScript', async () => {
    await parcels.write('agent.mjs', block('@countersign/agent'));
    const { stdout, stderr } = await parcels.play(block('node agent.mjs'));
    expect(stdout, stderr).toBe("200 { id: '17', readBy: 'agent-courier' }\n403 policy_denied\n");
  });

  it.skipIf(!hasPython)('reads and is denied in Python', async () => {
    await parcels.write('agent.py', block('import httpx'));
    const program = block('bin/python agent.py').replace('.venv/bin/python', `'${python}'`);
    const { stdout, stderr } = await parcels.play(program);
    expect(stdout, stderr).toBe("200 {'id': '17', 'readBy': 'agent-courier'}\n403 policy_denied\n");
  });

  it.skipIf(!hasGo)('reads and is denied in Go', { timeout: 180_000 }, async () => {
    await parcels.write('main.go', block('package main'));
    await parcels.play(block('go mod init'), offline);
    const { stdout, stderr } = await parcels.play(block('go run .'), offline);
    expect(stdout, stderr).toBe('200\n403 policy_denied\n');
  });

  it.skipIf(!hasRust)('reads and is denied in Rust', { timeout: 600_000 }, async () => {
    await mkdir(join(parcels.folder, 'src'));
    await cp(join(rustClient, 'Cargo.lock'), join(parcels.folder, 'Cargo.lock'));
    await parcels.write('src/main.rs', block('use countersign::'));
    const dependencies = block('features = ["reqwest"]').replace('../countersign', root);
    const manifest = `[package]\nname = "parcels"\nversion = "0.1.0"\nedition = "2024"\n\n${dependencies}`;
    await parcels.write('Cargo.toml', manifest);
    const build = { cwd: parcels.folder, env: offlineRust, deadlineSeconds: 580 };
    expect(await run('cargo', ['build', '--quiet'], build)).toMatchObject({ exitCode: 0 });
    const { stdout, stderr } = await parcels.play(block('cargo run'), offlineRust);
    expect(stdout, stderr).toBe('200\n403 policy_denied\n');
  });

  it('reads and is denied in shell, past the proxy of the environment', async () => {
    const env = { ...process.env, http_proxy: 'http://127.0.0.1:9' };
    const { stdout, stderr } = await parcels.play(block('sign-with-openssl.sh GET'), env);
    expect(stdout, stderr).toContain('{"id":"17","readBy":"agent-courier"}');
    expect(stdout, stderr).toContain('"code":"policy_denied"');
  });
});
