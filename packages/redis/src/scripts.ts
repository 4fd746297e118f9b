import { ConfigError, errorMessage, numberOption } from '@countersign/common';
import { changeInTime, SharedStoreUnavailable, tooLate } from '@countersign/stores';
import { type IoRedisClient, isIoRedis, type NodeRedisClient, type RedisClient } from './client.js';
import { replaceSilent } from './replace-silent.js';
import { clockScript, isLate, type Script } from './script.js';

/** Runs a script as one atomic step. */
export type RunScript = (script: Script, keys: readonly string[], values: readonly string[]) => Promise<unknown>;

/** A connection without any answer for so long is silent. */
const leastSilentSeconds = 2;

/**
 * The client's way to run a script. A script that the server does not know, as after a restart, is sent whole: it has not
 * been executed. Calls may take `timeoutSeconds` before their connection counts as silent, and two seconds in any case.
 *
 * @throws ConfigError if it is no client, or one that sends a command again whose answer was lost.
 */
export function scriptsOf(owner: string, client: RedisClient, timeoutSeconds = 0): RunScript {
  const run = runnerOf(owner, client, timeoutSeconds);
  return async (script, keys, values) => {
    if (!script.isChange) return await run(script, keys, values);
    const now = async () => Number(await run(clockScript, keys, []));
    return await changeInTime(now, async (deadline) => {
      const reply = await run(script, keys, [...values, `${deadline}`]);
      if (isLate(reply)) throw new SharedStoreUnavailable(tooLate);
      return reply;
    });
  };
}

function runnerOf(owner: string, client: RedisClient, timeoutSeconds: number): RunScript {
  const silentSeconds = Math.max(leastSilentSeconds, numberOption(owner, 'timeoutSeconds', timeoutSeconds, 0, 60));
  if (isIoRedis(client)) {
    checkIoRedis(owner, client);
    const call = replaceSilent(client, silentSeconds);
    return async ({ text, digest }, keys, values) =>
      await onceKnown(
        () => call((current) => current.evalsha(digest, keys.length, ...keys, ...values)),
        () => call((current) => current.eval(text, keys.length, ...keys, ...values)),
      );
  }
  if (typeof client?.evalSha !== 'function' || typeof client.eval !== 'function') {
    throw new ConfigError(`${owner}: pass a client of 'redis' or 'ioredis'.`);
  }
  checkNodeRedis(owner, client);
  const call = replaceSilent(client, silentSeconds);
  return async ({ text, digest }, keys, values) => {
    const given = { keys: [...keys], arguments: [...values] };
    return await onceKnown(
      () => call((current) => current.evalSha(digest, given)),
      () => call((current) => current.eval(text, given)),
    );
  };
}

async function onceKnown(byDigest: () => Promise<unknown>, whole: () => Promise<unknown>): Promise<unknown> {
  try {
    return await byDigest();
  } catch (error) {
    if (!/\bNOSCRIPT\b/.test(errorMessage(error))) throw error;
    return await whole();
  }
}

/** What the client was made with; undefined if it does not say, as a wrapper of the application. */
function optionsOf(client: RedisClient): Settings | undefined {
  return (client as { readonly options?: Settings }).options;
}

/** The options of a client; those of a cluster nest them. */
interface Settings {
  readonly disableOfflineQueue?: unknown;
  readonly enableOfflineQueue?: unknown;
  readonly maxRetriesPerRequest?: unknown;
  readonly autoResendUnfulfilledCommands?: unknown;
  readonly keyPrefix?: unknown;
  readonly defaults?: Settings | undefined;
  readonly redisOptions?: Settings | undefined;
}

/** A command that is sent again may be executed twice, so one whose connection ends must end too. */
function checkIoRedis(owner: string, client: IoRedisClient): void {
  const options = optionsOf(client);
  if (options === undefined) return;
  // The shell, and clients of other kinds, would read and write another list.
  if ([options, options.redisOptions].some((settings) => (settings?.keyPrefix ?? '') !== '')) {
    throw new ConfigError(
      `${owner}: this client of 'ioredis' puts a 'keyPrefix' before each key. Make one without it, as by ` +
        "client.duplicate({ keyPrefix: '' }), and use the option 'prefix' here and with 'countersign --prefix'.",
    );
  }
  const { maxRetriesPerRequest, autoResendUnfulfilledCommands } = options.redisOptions ?? options;
  const fails = options.enableOfflineQueue === false && maxRetriesPerRequest === 0;
  if (fails && autoResendUnfulfilledCommands === false) return;
  throw new ConfigError(
    `${owner}: this client of 'ioredis' sends commands again. Make it with { enableOfflineQueue: false, ` +
      'maxRetriesPerRequest: 0, autoResendUnfulfilledCommands: false }; of a Cluster, the last two are redisOptions. ' +
      'client.duplicate({ … }) gives such a client beside yours.',
  );
}

function checkNodeRedis(owner: string, client: NodeRedisClient): void {
  const options = optionsOf(client);
  if (options === undefined || (options.defaults ?? options).disableOfflineQueue === true) return;
  throw new ConfigError(
    `${owner}: this client of 'redis' keeps commands while it has no connection. Make it with ` +
      '{ disableOfflineQueue: true }; of a cluster, in its `defaults`. ' +
      'client.duplicate({ disableOfflineQueue: true }) gives such a client beside yours.',
  );
}
