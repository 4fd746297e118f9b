import { spawnSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { reportMissing } from '../support/required.js';
import { run } from '../support/run.js';
import { root } from '../support/workspace.js';

const client = join(root, 'clients/rust');
const isThere =
  isNewEnough(spawnSync('cargo', ['--version']).stdout?.toString() ?? '') &&
  spawnSync('cargo', ['clippy', '--version']).status === 0 &&
  spawnSync('cargo', ['fetch', '--locked', '--offline'], { cwd: client }).status === 0;
if (!isThere) {
  reportMissing(
    'rust-client',
    'skipped: the client in Rust. It needs cargo 1.88 or newer with clippy and rustfmt, and its crates: cargo fetch --manifest-path clients/rust/Cargo.toml',
  );
}

const deadlineSeconds = 1200;

function isNewEnough(version: string): boolean {
  const [, major = 0, minor = 0] = (/^cargo (\d+)\.(\d+)\./.exec(version) ?? []).map(Number);
  return major > 1 || (major === 1 && minor >= 88);
}

async function succeeds(args: readonly string[], cwd = client): Promise<string> {
  const env = {
    ...process.env,
    COUNTERSIGN_NODE: process.execPath,
    CARGO_NET_OFFLINE: 'true',
    // One folder, so that no crate is compiled twice.
    CARGO_TARGET_DIR: join(client, 'target'),
    RUSTDOCFLAGS: '-D warnings',
  };
  const { exitCode, stdout, stderr } = await run('cargo', args, { cwd, env, deadlineSeconds });
  expect(exitCode, `${stdout.slice(-8000)}${stderr.slice(-4000)}`).toBe(0);
  return stdout;
}

describe.skipIf(!isThere)('the client in Rust', { timeout: deadlineSeconds * 1000 }, () => {
  // Vectors, calls over sockets, every host, the authority, people who approve, random requests.
  it('passes its tests', async () => {
    await succeeds(['test', '--locked', '--all-features']);
  });

  it('is formatted and documented, and clippy finds nothing', async () => {
    await succeeds(['fmt', '--check']);
    await succeeds(['clippy', '--locked', '--all-features', '--all-targets', '--', '-D', 'warnings']);
    await succeeds(['clippy', '--locked', '--', '-D', 'warnings']);
    await succeeds(['doc', '--locked', '--all-features', '--no-deps']);
  });

  it('works from its package in an empty project, as the guide and the README say', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'countersign-rust-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    await succeeds(['package', '--locked', '--no-verify', '--allow-dirty', '--quiet']);
    const packages = join(client, 'target/package');
    const file = (await readdir(packages)).find((name) => name.endsWith('.crate')) ?? '';
    expect(spawnSync('tar', ['-xzf', join(packages, file), '-C', folder]).status).toBe(0);
    const empty = join(folder, 'empty');
    await mkdir(join(empty, 'src'), { recursive: true });
    await cp(join(client, 'Cargo.lock'), join(empty, 'Cargo.lock'));
    await writeFile(join(empty, 'Cargo.toml'), manifest(file.replace('.crate', '')));
    await writeFile(join(empty, 'src/main.rs'), await program());
    expect(await succeeds(['run', '--quiet'], empty)).toBe('Agent(agent-a)\n');
  });
});

function manifest(packed: string): string {
  return `[package]
name = "empty"
version = "0.0.0"
edition = "2024"

[dependencies]
countersign = { path = "../${packed}", features = ["reqwest"] }
serde_json = "1"
# The features and the profile of the tests, so that nothing is compiled anew.
tokio = { version = "1", features = ["io-util", "macros", "net", "process", "rt-multi-thread", "sync", "time"] }

[profile.dev]
debug = "line-tables-only"
`;
}

/** Each block of the docs is a function, with these variables around it. */
async function program(): Promise<string> {
  const blocks: string[] = [];
  for (const page of ['docs/guides/agents-rust.md', 'clients/rust/README.md']) {
    const text = await readFile(join(root, page), 'utf8');
    for (const [, block = ''] of text.matchAll(/```rust\n([^`]*)```/g)) blocks.push(block);
  }
  expect(blocks).toHaveLength(6);
  const functions = blocks.map(
    (block, at) => `
async fn block_${at}(agent: Agent, user: Agent, key: Key, refusal: Refusal, user_token: String, body: Vec<u8>)
-> Result<(), Box<dyn std::error::Error>> {
    ${block}
    Ok(())
}
`,
  );
  return `#![allow(dead_code, unused)]
use std::time::Duration;
use countersign::{Agent, Bundle, Grant, Key, Question, Refusal, TokenRequest};
${functions.join('')}
fn main() {
    let agent = Agent::builder("agent-a", Key::generate()).origin("https://api.acme.dev").build();
    println!("{:?}", agent.expect("an agent"));
}
`;
}
