import { ConfigError, errorMessage } from '@countersign/common';
import { BoundedCalls, type ReservationAnswer, type Reservations, SharedStoreUnavailable } from '@countersign/stores';
import type { RedisClient } from './client.js';
import { evicting } from './eviction.js';
import { reserveScript } from './reserve-script.js';
import { scriptsOf } from './scripts.js';

export interface ReservationOptions {
  readonly prefix: string;
  readonly timeoutSeconds: number;
}

/**
 * Opens what one-time use is built on, and asks the server once, so that a wrong one stops the start.
 *
 * @throws ConfigError which says what to change.
 */
export async function openReservations(
  caller: string,
  client: RedisClient,
  { prefix, timeoutSeconds }: ReservationOptions,
): Promise<Reservations> {
  const run = scriptsOf(caller, client, timeoutSeconds);
  const calls = new BoundedCalls('Redis', timeoutSeconds);
  // One hash tag: in a cluster, all of them must be where the epoch is.
  const keysOf = (owner: string): string[] => [`{${prefix}}:epoch`, `{${prefix}}:used:${owner}`];
  const ask = async (owner: string, name: string, milliseconds: number): Promise<unknown> =>
    await calls.run(async () => await run(reserveScript, keysOf(owner), [name, String(milliseconds)]));
  const first = await ask('', `${Math.random()}`, 1).catch((error: unknown) => {
    throw new ConfigError(`${caller}: ${hintFor(errorMessage(error), prefix)}`);
  });
  const opened = readReply(first);
  if ('problem' in opened) throw new ConfigError(`${caller}: ${opened.problem}`);
  return {
    ageMilliseconds: opened.ageMilliseconds,
    async reserve(owner, name, milliseconds) {
      const answer = readReply(await ask(owner, name, milliseconds));
      if ('problem' in answer) throw new SharedStoreUnavailable(answer.problem);
      return answer;
    },
  };
}

const results: readonly unknown[] = ['reserved', 'replayed'] satisfies ReservationAnswer['result'][];

function readReply(reply: unknown): ReservationAnswer | { readonly problem: string } {
  const [result, age, policy]: readonly unknown[] = Array.isArray(reply) ? reply : [];
  if (result === 'evicting') return { problem: evicting(policy, 'an evicted nonce is a replay') };
  if (result === 'no_run')
    return { problem: 'INFO does not say run_id and master_replid, which show restarts and failovers of Redis.' };
  const ageMilliseconds = Number(age);
  if (results.includes(result) && Number.isFinite(ageMilliseconds)) {
    return { result: result as ReservationAnswer['result'], ageMilliseconds };
  }
  return { problem: 'Redis gave an answer that was not asked for' };
}

/** Hosted services and careful operators forbid commands. CONFIG is not needed: INFO says the policy too. */
function hintFor(message: string, prefix: string): string {
  if (!/NOPERM|can't run this command|no permissions/i.test(message)) return `Redis cannot be used: ${message}`;
  return (
    `this user of Redis may not do what is needed (${message}). CONFIG is not needed, INFO is: ` +
    `ACL SETUSER <user> ~{${prefix}}:* &{${prefix}}:* +eval +evalsha +time +info +hmget +hset +hget +hdel +del +zadd +zrem ` +
    '+zscore +zcount +zrange +zrank +zrangebyscore +pttl +pexpire +publish +subscribe +unsubscribe +ping +hello'
  );
}
