import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { codeOf, isJsonObject, type JsonObject, member } from '@countersign/common';
import { DelegationError, mintDelegation } from '@countersign/delegation';
import { calculateJwkThumbprint, type JWK } from 'jose';
import { CliError, exitCodes } from '../cli-error.js';
import type { Io } from '../io.js';
import { printable } from '../text.js';
import { writePrivateFile } from './private-file.js';
import { readScopes } from './scopes.js';

export interface TokenCommandOptions {
  readonly user: string;
  readonly agent: string;
  readonly scope: string;
  readonly audience: string;
  readonly issuer: string;
  readonly ttl: string;
  readonly key: string;
  readonly jwks: string;
}

/** Mints a token in which a user lets an agent act, and prints it. The first call makes the key of the issuer. */
export async function token(options: TokenCommandOptions, io: Io): Promise<void> {
  const scope = readScopes('--scope', options.scope);
  const lifetimeSeconds = /^\d{1,5}$/.test(options.ttl) ? Number(options.ttl) : 0;
  if (lifetimeSeconds === 0) throw new CliError('--ttl must be a whole number of seconds', exitCodes.usage);
  const key = (await readKey(options.key)) ?? (await makeKey(options, io));
  const keyId = await publishedKeyId(key, options);
  const { user, agent, audience, issuer } = options;
  const now = Math.floor(io.clock() / 1000);
  try {
    const minted = await mintDelegation({ issuer, key, keyId, user, agent, scope, audience, lifetimeSeconds, now });
    io.out(`${minted}\n`);
  } catch (error) {
    if (error instanceof DelegationError) throw new CliError(error.message, exitCodes.usage);
    throw error;
  }
  io.err(`${printable(agent)} may act for ${printable(user)} at ${printable(audience)} for ${lifetimeSeconds} s.\n`);
}

async function readKey(path: string): Promise<KeyObject | undefined> {
  const pem = await textOf(path);
  if (pem === undefined) return undefined;
  try {
    return createPrivateKey(pem);
  } catch {
    throw new CliError(`${path} is no private key in PEM`, exitCodes.usage);
  }
}

async function makeKey({ key: path, jwks, issuer }: TokenCommandOptions, io: Io): Promise<KeyObject> {
  if ((await textOf(jwks)) !== undefined) {
    throw new CliError(`${jwks} is there, but not its private key ${path}. Name the key, or another file for --jwks`);
  }
  const { privateKey } = generateKeyPairSync('ed25519');
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  await writePrivateFile(path, pem, { overwrite: false, holds: 'the key in it' });
  const { jwk, keyId } = await publicJwk(privateKey);
  const published = { keys: [{ ...jwk, kid: keyId, use: 'sig', alg: 'EdDSA' }] };
  await writeFile(jwks, `${JSON.stringify(published, null, 2)}\n`, { flag: 'wx' });
  io.err(`written ${printable(path)} (mode 0600; whoever has it can act for every user) and ${printable(jwks)}
Add to createGuard, with readFile of 'node:fs/promises'. It is trusted only
if NODE_ENV is development when the guard is created; production needs an issuer whose key no developer has:
  issuers: process.env.NODE_ENV === 'development' ? [
    { issuer: '${printable(issuer)}', jwks: JSON.parse(await readFile('${printable(jwks)}', 'utf8')) },
  ] : [],
`);
  return privateKey;
}

/** The id under which the API knows the key; none if its entry has none. */
async function publishedKeyId(key: KeyObject, { key: path, jwks }: TokenCommandOptions): Promise<string> {
  const { keyId } = await publicJwk(key);
  for (const published of keysIn(await textOf(jwks))) {
    const kid = member(published, 'kid');
    if ((await thumbprintOf(published)) === keyId && typeof kid === 'string') return kid;
  }
  throw new CliError(`${jwks} does not have the public key of ${path}, with a 'kid'`, exitCodes.usage);
}

function keysIn(text: string | undefined): readonly JsonObject[] {
  try {
    const keys: unknown = member(JSON.parse(text ?? '{}') as JsonObject, 'keys');
    return Array.isArray(keys) ? keys.filter(isJsonObject) : [];
  } catch {
    return [];
  }
}

async function publicJwk(key: KeyObject): Promise<{ readonly jwk: JWK; readonly keyId: string }> {
  const jwk = createPublicKey(key).export({ format: 'jwk' }) as JWK;
  return { jwk, keyId: await calculateJwkThumbprint(jwk) };
}

/** Undefined if it is no key that is known. */
async function thumbprintOf(jwk: JWK): Promise<string | undefined> {
  return await calculateJwkThumbprint(jwk).catch(() => undefined);
}

async function textOf(path: string): Promise<string | undefined> {
  return await readFile(path, 'utf8').catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  });
}
