import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { ConfigError, errorMessage, FailureThrottle } from '@countersign/common';
import type { Ed25519PublicJwk } from '@countersign/delegation';
import { jwkThumbprint } from '@countersign/signature';
import { numberOf, sql, type Store, textOf } from '../storage/store.js';
import type { Seal } from './seal.js';

/** A key with which the authority signs tokens. */
export interface SigningKey {
  readonly kid: string;
  readonly privateKey: KeyObject;
  readonly publicJwk: Ed25519PublicJwk;
  /** Unix seconds; the newest key whose moment has come signs. */
  readonly signsFrom: number;
}

/** The keys of the authority, in rotation. A key is published before it signs, and until its last token has expired. */
export interface SigningKeys {
  /** The key that signs now. */
  current(now: number): SigningKey;
  /** The keys that verify now or soon, the current one first. */
  published(now: number): readonly SigningKey[];
  /**
   * Makes the next key, unless there is one that waits already. It signs from ten minutes later on.
   *
   * @throws Error if the clock of this process is wrong.
   */
  rotate(): Promise<void>;
  /** Reads what other processes have changed, and makes and deletes keys as their age demands. */
  refresh(): Promise<void>;
  close(): void;
}

export interface SigningKeyOptions {
  readonly store: Store;
  readonly seal: Seal;
  /** The age at which a key is replaced. */
  readonly rotationDays: number;
  /** The longest lifetime of a token: so long an old key stays published. */
  readonly longestTokenSeconds: number;
  readonly now: () => number;
  /** The time by which keys are made and deleted. Rejects if the clock of this process is wrong. */
  readonly agreedTime: () => Promise<number>;
  readonly onTrouble: (message: string) => void;
}

/** Guards keep fetched keys for 5 minutes. */
const publishAheadSeconds = 600;
/** No key that is to sign later is the next one: a process whose clock was ahead made it. */
const farSeconds = 2 * publishAheadSeconds;
const refreshMilliseconds = 30_000;

/** @throws ConfigError if the keys of the store cannot be opened with the secret. */
export async function openSigningKeys(options: SigningKeyOptions): Promise<SigningKeys> {
  const { store, seal, now, onTrouble } = options;
  let keys: readonly SigningKey[] = [];

  async function load(): Promise<readonly SigningKey[]> {
    const rows = await store.run(
      sql`SELECT kid, sealed, signs_from FROM countersign_signing_keys ORDER BY signs_from DESC`,
    );
    return rows.map((row) => readKey(seal.open(textOf(row, 'sealed')), numberOf(row, 'signs_from')));
  }

  /** Of several processes that do this at once, one inserts. */
  async function insert(signsFrom: number): Promise<void> {
    const { privateKey } = generateKeyPairSync('ed25519');
    const jwk = privateKey.export({ format: 'jwk' });
    await store.run(sql`
      INSERT INTO countersign_signing_keys (kid, sealed, signs_from, created_at)
      VALUES (${jwkThumbprint(publicPart(jwk))}, ${seal.seal(JSON.stringify(jwk))}, ${signsFrom}, ${now()})
      ON CONFLICT (signs_from) DO NOTHING`);
  }

  function current(at: number): SigningKey {
    const key = keys.find(({ signsFrom }) => signsFrom <= at);
    if (key === undefined) throw new Error('no signing key counts yet');
    return key;
  }

  async function rotate(): Promise<void> {
    const at = await options.agreedTime();
    keys = await load();
    const waits = keys.some(({ signsFrom }) => signsFrom > at && signsFrom <= at + farSeconds);
    if (!waits) await insert(at + publishAheadSeconds);
    keys = await load();
  }

  async function refresh(): Promise<void> {
    keys = await load();
    const at = await options.agreedTime();
    await beginAt(at);
    const { signsFrom } = current(at);
    const dueAt = signsFrom + options.rotationDays * 86_400 - publishAheadSeconds;
    if (at >= dueAt) await rotate();
    await store.run(sql`
      DELETE FROM countersign_signing_keys WHERE signs_from < ${signsFrom} AND ${signsFrom} < ${at - 2 * keepSeconds()}`);
  }

  /** The first key, also beside keys of the future alone. It signs at once: guards fetch a key that they do not know. */
  async function beginAt(at: number): Promise<void> {
    if (keys.some(({ signsFrom }) => signsFrom <= at)) return;
    await insert(at);
    keys = await load();
  }

  const keepSeconds = (): number => options.longestTokenSeconds + publishAheadSeconds;

  try {
    keys = await load();
  } catch (error) {
    throw new ConfigError(
      `createAuthority: the signing keys cannot be opened: ${errorMessage(error)}. Is 'secret' the one with which the store was made?`,
    );
  }

  await beginAt(now());

  const failures = new FailureThrottle(Date.now);
  const timer = setInterval(() => {
    refresh().then(
      () => void failures.recordSuccess(),
      (error: unknown) => {
        if (failures.recordFailure()) onTrouble(`the signing keys cannot be kept up to date: ${errorMessage(error)}`);
      },
    );
  }, refreshMilliseconds);
  timer.unref();

  return {
    current,
    published(at) {
      const signing = current(at);
      const others = keys.filter(
        (key) => key !== signing && (key.signsFrom > at || at < signing.signsFrom + keepSeconds()),
      );
      return [signing, ...others];
    },
    rotate,
    refresh,
    close: () => clearInterval(timer),
  };
}

function readKey(text: string, signsFrom: number): SigningKey {
  const jwk = JSON.parse(text) as { readonly x: string };
  const publicJwk = publicPart(jwk);
  const privateKey = createPrivateKey({ key: { ...jwk }, format: 'jwk' });
  return { kid: jwkThumbprint(publicJwk), privateKey, publicJwk, signsFrom };
}

function publicPart({ x }: { readonly x?: string | undefined }): Ed25519PublicJwk {
  return { kty: 'OKP', crv: 'Ed25519', x: String(x) };
}
