import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { vi } from 'vitest';
import { freePort } from './free-port.js';
import { reportMissing } from './required.js';
import { run } from './run.js';
import { root } from './workspace.js';

/** `pnpm test:spire` builds the programs here. */
const built = join(root, 'node_modules/.cache/spire-1.13.3');
const long = { interval: 100, timeout: 60_000 } as const;

/** The folder of the SPIRE programs; undefined if they are missing, and the tests that need them are skipped. */
export function findSpire(): string | undefined {
  if (['spire-server', 'spire-agent'].every((program) => existsSync(join(built, program)))) return built;
  return reportMissing(
    'spire',
    'SPIRE is missing: its tests are skipped. `pnpm test:spire` builds it (needs Go and a C compiler, 2 to 5 minutes).',
  );
}

export interface Spire {
  /** The Workload API. */
  readonly socket: string;
  /** The bundle of `example.org`, as SPIRE writes it for others. */
  bundle(): Promise<string>;
  /** Registers this process as a workload, and waits until the agent knows it. */
  register(path: string, ...options: readonly string[]): Promise<void>;
  killAgent(): Promise<void>;
  startAgent(): Promise<void>;
  stop(): Promise<void>;
}

/** A server and an agent of SPIRE for the trust domain `example.org`. SVIDs live for one minute. */
export async function startSpire(programs: string): Promise<Spire> {
  const folder = await mkdtemp(join(tmpdir(), 'spire-'));
  const [server, agent] = [join(folder, 's.sock'), join(folder, 'a.sock')];
  const port = await freePort();
  await mkdir(join(folder, 'agent'));
  await writeFile(join(folder, 'server.conf'), serverConfiguration(folder, server, port));
  await writeFile(join(folder, 'agent.conf'), agentConfiguration(folder, agent, port));
  const children: ChildProcess[] = [];
  const start = (program: string, ...words: readonly string[]): ChildProcess => {
    const child = spawn(join(programs, program), words, { stdio: 'ignore' });
    children.push(child);
    return child;
  };
  const ask = async (...words: readonly string[]): Promise<string> => {
    const { exitCode, stdout, stderr } = await run(join(programs, 'spire-server'), [...words, '-socketPath', server]);
    if (exitCode !== 0) throw new Error(`spire-server ${words.join(' ')}: ${stdout}${stderr}`);
    return stdout;
  };
  let running: ChildProcess | undefined;
  const node = 'spiffe://example.org/node/one';

  async function startAgent(...words: readonly string[]): Promise<void> {
    running = start('spire-agent', 'run', '-config', join(folder, 'agent.conf'), ...words);
    await vi.waitFor(async () => {
      const { exitCode } = await run(join(programs, 'spire-agent'), ['healthcheck', '-socketPath', agent]);
      if (exitCode !== 0) throw new Error('the agent of SPIRE does not start');
    }, long);
  }

  async function stop(): Promise<void> {
    await Promise.all(
      children.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null).map(kill),
    );
    await rm(folder, { recursive: true, force: true });
  }

  try {
    start('spire-server', 'run', '-config', join(folder, 'server.conf'));
    await vi.waitFor(() => ask('healthcheck'), long);
    await writeFile(join(folder, 'bundle.pem'), await ask('bundle', 'show'));
    const token = /Token: (\S+)/.exec(await ask('token', 'generate', '-spiffeID', node))?.[1] ?? '';
    await startAgent('-joinToken', token);
  } catch (error) {
    await stop();
    throw error;
  }

  return {
    socket: agent,
    bundle: () => ask('bundle', 'show', '-format', 'spiffe'),
    async register(path, ...options) {
      const id = `spiffe://example.org${path}`;
      const uid = String(process.getuid?.());
      await ask('entry', 'create', '-parentID', node, '-spiffeID', id, '-selector', `unix:uid:${uid}`, ...options);
      await vi.waitFor(async () => {
        const words = ['api', 'fetch', 'x509', '-socketPath', agent];
        const { stdout } = await run(join(programs, 'spire-agent'), words);
        if (!stdout.includes(id)) throw new Error(`SPIRE does not know ${id}: ${stdout}`);
      }, long);
    },
    async killAgent() {
      if (running !== undefined) await kill(running);
    },
    startAgent: () => startAgent(),
    stop,
  };
}

async function kill(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

function serverConfiguration(folder: string, socket: string, port: number): string {
  return `
server {
  bind_address = "127.0.0.1"
  bind_port = "${port}"
  socket_path = "${socket}"
  trust_domain = "example.org"
  data_dir = "${folder}"
  default_x509_svid_ttl = "60s"
  default_jwt_svid_ttl = "60s"
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
  trust_domain = "example.org"
  trust_bundle_path = "${folder}/bundle.pem"
}
plugins {
  NodeAttestor "join_token" {
    plugin_data {}
  }
  KeyManager "disk" {
    plugin_data {
      directory = "${folder}/agent"
    }
  }
  WorkloadAttestor "unix" {
    plugin_data {}
  }
}`;
}
