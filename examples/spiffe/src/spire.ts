import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { listenOnFreePort } from '@countersign/example-stage';

/** A server and an agent of SPIRE for the trust domain `acme`. */
export interface Spire {
  /** The Workload API. */
  readonly socket: string;
  /** The bundle of the trust domain, for an authority. */
  readonly bundleFile: string;
  killAgent(): void;
  stop(): Promise<void>;
}

const node = 'spiffe://acme/node';

/** Starts SPIRE, and registers this process under some IDs. Undefined: the programs are not in the folder, or the PATH. */
export async function startSpire(programs: string, ids: readonly string[]): Promise<Spire | undefined> {
  const [serverProgram, agentProgram] = ['spire-server', 'spire-agent'].map((name) => join(programs, name));
  if (serverProgram === undefined || agentProgram === undefined) return undefined;
  const folder = await mkdtemp(join(tmpdir(), 'spire-'));
  const [api, socket] = [join(folder, 'server.sock'), join(folder, 'agent.sock')];
  const started: ChildProcess[] = [];
  const start = (program: string, words: readonly string[]): ChildProcess => {
    const child = spawn(program, words, { stdio: 'ignore' });
    // Missing or ended: what asks it says so.
    child.on('error', () => {});
    started.push(child);
    return child;
  };
  const ask = async (...words: string[]): Promise<string> => await run(serverProgram, [...words, '-socketPath', api]);
  const stop = async (): Promise<void> => {
    for (const child of started) child.kill('SIGKILL');
    await Promise.all(started.map(async (child) => child.exitCode ?? child.signalCode ?? (await once(child, 'exit'))));
    await rm(folder, { recursive: true, force: true });
  };
  if ((await run(serverProgram, ['--version']).catch(() => undefined)) === undefined) return undefined;

  const port = await freePort();
  await mkdir(join(folder, 'agent'));
  await writeFile(join(folder, 'server.conf'), serverConfiguration(folder, api, port));
  await writeFile(join(folder, 'agent.conf'), agentConfiguration(folder, socket, port));
  start(serverProgram, ['run', '-config', join(folder, 'server.conf')]);
  await eventually(() => ask('healthcheck'));
  await writeFile(join(folder, 'bundle.pem'), await ask('bundle', 'show'));
  await writeFile(join(folder, 'bundle.json'), await ask('bundle', 'show', '-format', 'spiffe'));
  const token = /Token: (\S+)/.exec(await ask('token', 'generate', '-spiffeID', node))?.[1] ?? '';
  const agent = start(agentProgram, ['run', '-config', join(folder, 'agent.conf'), '-joinToken', token]);
  // In production the selectors tell workloads apart: a service account, an image, a path.
  const selector = `unix:uid:${String(process.getuid?.())}`;
  for (const id of ids) await ask('entry', 'create', '-parentID', node, '-spiffeID', id, '-selector', selector);
  await eventually(async () => {
    const listed = await run(agentProgram, ['api', 'fetch', 'x509', '-socketPath', socket]);
    if (!ids.every((id) => listed.includes(id))) throw new Error('the agent of SPIRE does not know the workloads');
  });
  return { socket, bundleFile: join(folder, 'bundle.json'), killAgent: () => agent.kill('SIGKILL'), stop };
}

async function run(program: string, words: readonly string[]): Promise<string> {
  return await new Promise((resolve, reject) => {
    execFile(program, words, (error, stdout) => {
      if (error === null) resolve(stdout);
      else reject(error);
    });
  });
}

async function eventually(attempt: () => Promise<unknown>): Promise<void> {
  for (const end = Date.now() + 60_000; ; ) {
    try {
      await attempt();
      return;
    } catch (error) {
      if (Date.now() > end) throw error;
      await setTimeout(100);
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listenOnFreePort(server);
  server.close();
  await once(server, 'close');
  return port;
}

function serverConfiguration(folder: string, socket: string, port: number): string {
  return `
server {
  bind_address = "127.0.0.1"
  bind_port = "${port}"
  socket_path = "${socket}"
  trust_domain = "acme"
  data_dir = "${folder}"
}
plugins {
  DataStore "sql" {
    plugin_data {
      database_type = "sqlite3"
      connection_string = "${folder}/db"
    }
  }
  NodeAttestor "join_token" {
    plugin_data {}
  }
  KeyManager "memory" {
    plugin_data {}
  }
}`;
}

function agentConfiguration(folder: string, socket: string, port: number): string {
  return `
agent {
  data_dir = "${folder}/agent"
  server_address = "127.0.0.1"
  server_port = "${port}"
  socket_path = "${socket}"
  trust_domain = "acme"
  trust_bundle_path = "${folder}/bundle.pem"
}
plugins {
  NodeAttestor "join_token" {
    plugin_data {}
  }
  KeyManager "memory" {
    plugin_data {}
  }
  WorkloadAttestor "unix" {
    plugin_data {}
  }
}`;
}
