// A Postgres server that syncs each commit to disk, as it does by default. Undefined if its programs are missing.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';

export async function startPostgres(parent) {
  const programs = findPrograms();
  if (programs === undefined) return undefined;
  const folder = join(parent, 'postgres');
  mkdirSync(folder);
  // Postgres refuses to run as root.
  const user = process.getuid() === 0 ? { uid: idOfNobody('-u'), gid: idOfNobody('-g') } : {};
  if (user.uid !== undefined) {
    chownSync(folder, user.uid, user.gid);
    chmodSync(parent, 0o711);
  }
  const data = join(folder, 'data');
  const options = { ...user, cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] };
  execFileSync(join(programs, 'initdb'), ['-D', data, '-U', 'countersign', '-A', 'trust', '-E', 'UTF8', '--locale=C'], {
    ...options,
    stdio: 'ignore',
  });
  // A socket in this folder could have too long a name.
  const port = String(50_000 + (process.pid % 10_000));
  const settings = ['listen_addresses=127.0.0.1', `port=${port}`, 'unix_socket_directories='];
  const server = spawn(join(programs, 'postgres'), ['-D', data, ...settings.flatMap((one) => ['-c', one])], options);
  for await (const line of createInterface({ input: server.stderr })) {
    if (line.includes('ready to accept connections')) break;
  }
  server.stderr.resume();
  return {
    connection: { host: '127.0.0.1', port: Number(port), user: 'countersign', database: 'postgres' },
    async stop() {
      const ended = once(server, 'exit');
      server.kill('SIGINT');
      await ended;
    },
  };
}

function idOfNobody(flag) {
  return Number(execFileSync('id', [flag, 'nobody']));
}

function findPrograms() {
  const debian = '/usr/lib/postgresql';
  const versions = existsSync(debian) ? readdirSync(debian).map((version) => join(debian, version, 'bin')) : [];
  return [...versions, ...(process.env.PATH ?? '').split(delimiter)].find((folder) =>
    ['initdb', 'postgres'].every((program) => existsSync(join(folder, program))),
  );
}
