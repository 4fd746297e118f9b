import { readFile, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { AuthorityOptions, Store } from '@countersign/authority';
import { checkOptionNames, codeOf, isJsonObject, type JsonObject, member, parseStrictJson } from '@countersign/common';
import { auditFile, type AuditSink } from '@countersign/core';
import type * as Pg from 'pg';
import { CliError, exitCodes, messageOf } from '../../cli-error.js';
import type { Io } from '../../io.js';
import { printable } from '../../text.js';
import { readApprovals } from './channels.js';

/** The options of `createAuthority` that a file can hold as they are. */
const passedOn = [
  'issuer',
  'resources',
  'tokenLifetimeSeconds',
  'maxDelegationDepth',
  'externalIssuers',
  'exchange',
  'signingKeyDays',
] as const satisfies readonly (keyof AuthorityOptions)[];
const own = ['listen', 'secretFile', 'adminTokenFile', 'store', 'users', 'approvals', 'spiffe', 'audit'];

export interface AuthorityConfig {
  readonly listen: string;
  /** `createAuthority` checks them. */
  readonly options: Omit<AuthorityOptions, 'store'>;
  /** Opens the store, once everything else is known to be right. */
  readonly openStore: () => Promise<Store>;
}

/**
 * Reads the file of `countersign authority`. Paths in it are relative to its folder.
 *
 * @throws CliError or ConfigError that says what to write.
 */
export async function readConfig(path: string, io: Io): Promise<AuthorityConfig> {
  const read = parseStrictJson(await readText(path, '--config'));
  if (!read.ok) throw wrong(path, read.problem);
  const config = read.value;
  if (!isJsonObject(config)) throw wrong(path, 'it must be a JSON object');
  checkOptionNames(path, config, [...passedOn, ...own]);
  const listen = member(config, 'listen') ?? '127.0.0.1:8080';
  if (typeof listen !== 'string') throw wrong(path, "'listen' must be an address like '127.0.0.1:8080'");
  const folder = dirname(path);
  const secretOf = async (name: string) => await readSecret(path, folder, config, name, io);
  const secret = await secretOf('secretFile');
  if (secret === undefined) {
    throw wrong(path, "'secretFile' must name a file with the output of 'openssl rand -base64 32'");
  }
  const adminToken = await secretOf('adminTokenFile');
  const users = await readUsers(path, folder, member(config, 'users'), io);
  const approvals = await readApprovals(
    member(config, 'approvals'),
    async (of, name) => await readSecret(path, folder, of, name, io),
    (problem) => wrong(path, problem),
  );
  const passed = Object.fromEntries(passedOn.flatMap((name) => (name in config ? [[name, config[name]]] : [])));
  const options = {
    ...passed,
    secret,
    ...(adminToken !== undefined && { adminTokens: [adminToken] }),
    ...(users !== undefined && { users }),
    ...(approvals !== undefined && { approvals }),
    ...('audit' in config && { audit: readAuditLog(path, folder, config['audit'], io) }),
    ...('spiffe' in config && { spiffe: withPaths(config['spiffe'], folder) }),
  };
  return {
    listen,
    options: options as unknown as Omit<AuthorityOptions, 'store'>,
    openStore: readStore(path, folder, member(config, 'store'), io),
  };
}

/** Bundles are in files beside this one. What is wrong in it, `createAuthority` says. */
function withPaths(spiffe: unknown, folder: string): unknown {
  const domains = isJsonObject(spiffe) ? member(spiffe, 'trustDomains') : undefined;
  if (!isJsonObject(spiffe) || !isJsonObject(domains)) return spiffe;
  const trustDomains = Object.entries(domains).map(([name, place]) => {
    const file = isJsonObject(place) ? member(place, 'file') : undefined;
    return [name, isJsonObject(place) && typeof file === 'string' ? { ...place, file: resolve(folder, file) } : place];
  });
  return { ...spiffe, trustDomains: Object.fromEntries(trustDomains) };
}

/** The sign-in of users, with its secret from a file or from the environment. */
async function readUsers(path: string, folder: string, users: unknown, io: Io): Promise<JsonObject | undefined> {
  if (users === undefined) return undefined;
  const signIn = isJsonObject(users) ? member(users, 'signIn') : undefined;
  if (!isJsonObject(users) || !isJsonObject(signIn)) {
    throw wrong(
      path,
      `'users' must be { "signIn": { "issuer", "clientId", "clientSecretFile", "subjectNamespace" } }, the OpenID provider of your users`,
    );
  }
  if ('clientSecret' in signIn) {
    throw wrong(
      path,
      "'signIn': no secret in this file. Write it into one of its own, and name that by 'clientSecretFile'",
    );
  }
  const { clientSecretFile: _file, ...rest } = signIn;
  const fromFile = await readSecret(path, folder, signIn, 'clientSecretFile', io);
  const clientSecret = fromFile ?? process.env['COUNTERSIGN_CLIENT_SECRET'];
  if (clientSecret === undefined) {
    throw wrong(
      path,
      "'signIn' has no secret. Name its file by 'clientSecretFile', or set COUNTERSIGN_CLIENT_SECRET to what your OpenID provider gave to the authority",
    );
  }
  return { ...users, signIn: { ...rest, clientSecret } };
}

/** The log in a folder. Its key stands elsewhere, unless nothing is named: then it only reveals accidents. */
function readAuditLog(path: string, folder: string, audit: unknown, io: Io): AuditSink {
  const { folder: log, checkpointKey: key, ...others } = isJsonObject(audit) ? audit : {};
  const isKey = key === undefined || typeof key === 'string';
  if (typeof log !== 'string' || log === '' || !isKey || Object.keys(others).length > 0) {
    throw wrong(path, `'audit' must be { "folder": "audit" }, optionally with "checkpointKey": the file of its key`);
  }
  return auditFile(resolve(folder, log), {
    ...(key !== undefined && { checkpointKey: resolve(folder, key) }),
    onTrouble: (message) => io.err(`countersign: ${printable(message)}\n`),
  });
}

async function readSecret(
  path: string,
  folder: string,
  config: JsonObject,
  name: string,
  io: Io,
): Promise<string | undefined> {
  const value = member(config, name);
  if (value === undefined) return undefined;
  if (typeof value !== 'string' || value === '') throw wrong(path, `'${name}' must be the path of a file`);
  const file = resolve(folder, value);
  const text = await readText(file, name);
  const { mode } = await stat(file);
  if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
    io.err(`countersign: warning: others can read ${printable(file)}; chmod 600 it\n`);
  }
  return text.trim();
}

function readStore(path: string, folder: string, store: unknown, io: Io): () => Promise<Store> {
  const [[kind, place] = [], ...others] = isJsonObject(store) ? Object.entries(store) : [];
  if (
    others.length > 0 ||
    typeof place !== 'string' ||
    place === '' ||
    !['sqlite', 'postgres'].includes(String(kind))
  ) {
    throw wrong(path, `'store' must be { "sqlite": "authority.db" } or { "postgres": "postgres://host/database" }`);
  }
  if (kind === 'postgres') return async () => await openPostgresAt(place, io);
  return async () => {
    const { openSqlite } = await import('@countersign/authority');
    return await openSqlite(place === ':memory:' ? place : resolve(folder, place));
  };
}

/** The store closes its pool, because nobody else has it. */
async function openPostgresAt(connectionString: string, io: Io): Promise<Store> {
  const [{ openPostgres }, pg] = await Promise.all([import('@countersign/authority'), loadPg()]);
  const pool = new pg.Pool({ connectionString });
  // An idle connection that breaks is replaced by the pool. Without a listener it would end the process.
  pool.on('error', (error) => io.err(`countersign: a connection to Postgres broke: ${printable(messageOf(error))}\n`));
  try {
    const store = await openPostgres(pool);
    return {
      run: (statement) => store.run(statement),
      batch: (statements) => store.batch(statements),
      clock: () => store.clock(),
      async close() {
        await store.close();
        await pool.end();
      },
    };
  } catch (error) {
    await pool.end();
    throw error;
  }
}

async function loadPg(): Promise<Pick<typeof Pg, 'Pool'>> {
  try {
    return (await import('pg')).default;
  } catch (error) {
    if (codeOf(error) !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new CliError("a store in Postgres needs the package 'pg': npm install pg");
  }
}

async function readText(path: string, name: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new CliError(`${name}: '${path}' cannot be read: ${messageOf(error)}`, exitCodes.usage);
  }
}

function wrong(path: string, problem: string): CliError {
  return new CliError(`${path}: ${problem}.`, exitCodes.usage);
}
