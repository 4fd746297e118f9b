import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { reportMissing } from '../support/required.js';
import { run } from '../support/run.js';
import { root } from '../support/workspace.js';

const client = join(root, 'clients/go');
const modulePath = 'github.com/countersign/countersign/clients/go';
/** Of 1.25 or newer: an older one would fetch a toolchain. */
const isThere =
  spawnSync('go', ['vet', '.'], { cwd: client, env: { ...process.env, GOTOOLCHAIN: 'local' } }).status === 0;
if (!isThere) {
  reportMissing('go-client', 'skipped: the client in Go. It needs Go 1.25 or newer on the PATH, and passes go vet.');
}

/** Fetched, the first time. */
const staticcheck = 'honnef.co/go/tools/cmd/staticcheck@v0.8.2';
const goEnvironment = { ...process.env, COUNTERSIGN_NODE: process.execPath, GOTOOLCHAIN: 'local', GOWORK: 'off' };
const hasStaticcheck =
  isThere && spawnSync('go', ['run', staticcheck, '-version'], { cwd: client, env: goEnvironment }).status === 0;
if (isThere && !hasStaticcheck) {
  reportMissing('staticcheck', `skipped: staticcheck of the client in Go. It must be fetched: go run ${staticcheck}`);
}

const deadlineSeconds = 1200;

async function succeeds(program: string, args: readonly string[], cwd = client): Promise<string> {
  const { exitCode, stdout, stderr } = await run(program, args, { cwd, env: goEnvironment, deadlineSeconds });
  expect(exitCode, `${stdout.slice(-8000)}${stderr.slice(-4000)}`).toBe(0);
  return stdout;
}

describe.skipIf(!isThere)('the client in Go', { timeout: deadlineSeconds * 1000 }, () => {
  // Vectors, calls over sockets, every host, the authority, people who approve, random requests.
  it('passes its tests', async () => {
    await succeeds('go', ['test', '-count=1', '-timeout=20m', './...']);
  });

  it('is formatted, and needs the standard library only', async () => {
    expect(await succeeds('gofmt', ['-l', '.'])).toBe('');
    expect(await succeeds('go', ['list', '-m', 'all'])).toBe(`${modulePath}\n`);
  });

  it.skipIf(!hasStaticcheck)('has nothing that staticcheck finds', async () => {
    expect(await succeeds('go', ['run', staticcheck, './...'])).toBe('');
  });

  it('works in an empty module', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'countersign-go-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const program = `package main

import (
	"fmt"

	"${modulePath}"
)

func main() {
	agent, err := countersign.New(countersign.Config{
		ID: "agent-a", Key: countersign.GenerateKey(), Origins: []string{"https://api.acme.dev"},
	})
	fmt.Printf("%+v %v\\n", agent, err)
}
`;
    await writeFile(join(folder, 'main.go'), program);
    await succeeds('go', ['mod', 'init', 'example.com/empty'], folder);
    await succeeds('go', ['mod', 'edit', '-require', `${modulePath}@v0.0.0`], folder);
    await succeeds('go', ['mod', 'edit', '-replace', `${modulePath}=${client}`], folder);
    expect(await succeeds('go', ['run', '.'], folder)).toBe('Signer(agent-a) <nil>\n');
  });
});
