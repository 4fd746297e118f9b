import { readFile } from 'node:fs/promises';
import { codeOf } from '@countersign/common';
import { beginPostgresRevocations, postgresRevocations } from '@countersign/postgres';
import { beginRedisRevocations, redisRevocations } from '@countersign/redis';
import type { SharedRevocations } from '@countersign/stores';
import type * as Pg from 'pg';
import type * as Redis from 'redis';
import { CliError, exitCodes, messageOf } from '../../cli-error.js';
import type { Io } from '../../io.js';
import { printable } from '../../text.js';

export interface StoreOptions {
  /** A URL, or a file that holds it. Default: the environment variable COUNTERSIGN_STORE. */
  readonly store?: string;
  readonly prefix?: string;
}

export interface OpenStore {
  readonly revocations: SharedRevocations;
  readonly close: () => Promise<void>;
}

/**
 * Opens the shared revocations. With `begin`, begins them first.
 *
 * @throws CliError if there is no such store, or it cannot be used.
 */
export async function openStore(
  options: StoreOptions,
  io: Io,
  { begin = false }: { readonly begin?: boolean } = {},
): Promise<OpenStore> {
  const url = await readStoreUrl(options);
  const onTrouble = (message: string) => io.err(`countersign: ${printable(message)}\n`);
  if (/^rediss?:/.test(url)) return await openRedis(url, { begin, onTrouble, ...prefixOf(options) });
  if (options.prefix !== undefined) throw new CliError('--prefix is for Redis', exitCodes.usage);
  const { Pool } = await driver<typeof Pg>('pg', () => import('pg'));
  // Two: one of them waits for notices.
  const pool = new Pool({ connectionString: url, connectionTimeoutMillis: 3000, max: 2 });
  pool.on('error', () => {});
  const close = async () => await pool.end();
  return await opened(close, async () => {
    if (begin) await beginPostgresRevocations(pool);
    return await postgresRevocations(pool, { onTrouble });
  });
}

async function openRedis(
  url: string,
  { begin, ...options }: { begin: boolean; onTrouble: (message: string) => void; prefix?: string },
): Promise<OpenStore> {
  const { createClient } = await driver<typeof Redis>('redis', () => import('redis'));
  const socket = { connectTimeout: 3000, reconnectStrategy: false as const };
  const client = createClient({ url, disableOfflineQueue: true, socket });
  client.on('error', () => {});
  await client.connect().catch((error: unknown) => {
    throw new CliError(`the store cannot be reached: ${messageOf(error)}`);
  });
  const close = async () => client.destroy();
  return await opened(close, async () => {
    if (begin) await beginRedisRevocations(client, options.prefix === undefined ? {} : { prefix: options.prefix });
    return await redisRevocations(client, options);
  });
}

async function opened(close: () => Promise<void>, open: () => Promise<SharedRevocations>): Promise<OpenStore> {
  try {
    const revocations = await open();
    return {
      revocations,
      async close() {
        await revocations.close();
        await close();
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function readStoreUrl({ store = process.env['COUNTERSIGN_STORE'] }: StoreOptions): Promise<string> {
  const what = 'a URL like redis://host or postgres://host/database, or a file that holds it';
  if (store === undefined) {
    throw new CliError(`name the store with --store or COUNTERSIGN_STORE: ${what}`, exitCodes.usage);
  }
  const url = storeUrl(store) ?? storeUrl(await readFile(store, 'utf8').catch(() => ''));
  if (url === undefined) throw new CliError(`--store must be ${what}`, exitCodes.usage);
  return url;
}

function storeUrl(text: string): string | undefined {
  const trimmed = text.trim();
  return /^(?:rediss?|postgres|postgresql):\/\/\S+$/.test(trimmed) ? trimmed : undefined;
}

function prefixOf({ prefix }: StoreOptions): { prefix?: string } {
  return prefix === undefined ? {} : { prefix };
}

/** An optional dependency: who has no such store needs no such driver. */
async function driver<Driver>(name: string, load: () => Promise<Driver>): Promise<Driver> {
  try {
    return await load();
  } catch (error) {
    if (codeOf(error) !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new CliError(`a store of this kind needs the package '${name}': npm install ${name}`);
  }
}
