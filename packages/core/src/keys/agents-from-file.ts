import { createHash } from 'node:crypto';
import { type FSWatcher, watch } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { checkOptionNames, ConfigError } from '../config-error.js';
import { isJsonObject, member, parseStrictJson } from '../json/strict-json.js';
import type { AgentSet } from './agent-set.js';
import { readAgents } from './agents-from-objects.js';
import type { AgentDirectory } from './directory.js';

export interface AgentsFromFileOptions {
  /** Told of every reload: that it succeeded, or why the agents read before stay in force. Default: a process warning. */
  readonly onReload?: (result: ReloadResult) => void;
  /**
   * How often the file is looked at besides the notices of the operating system, which network file systems and some
   * container mounts do not send. In seconds. Default 5.
   */
  readonly pollSeconds?: number;
}

export type ReloadResult = { readonly ok: true } | { readonly ok: false; readonly problem: string };

const settleMilliseconds = 50;

/**
 * A directory read from a JSON file: a list of agents, or an object with the list as its only member `agents`.
 * Changes take effect without a restart; an agent no longer in the file is no longer known. New content that is wrong
 * changes nothing and is reported to `onReload`. Neither watching nor waiting keeps the process alive.
 *
 * @throws ConfigError (as a rejection) when the file cannot be read or is wrong at start.
 *
 * @example
 * const agents = await agentsFromFile('agents.json');
 */
export async function agentsFromFile(path: string, options: AgentsFromFileOptions = {}): Promise<AgentDirectory> {
  checkOptionNames('agentsFromFile', options, ['onReload', 'pollSeconds']);
  const { onReload = warn, pollSeconds = 5 } = options;
  if (!(pollSeconds > 0 && pollSeconds <= 3600)) {
    throw new ConfigError("agentsFromFile: 'pollSeconds' must be a number of seconds up to 3600.");
  }
  const file = resolve(path);
  const first = await readContent(file);
  if (!first.ok) throw new ConfigError(`agentsFromFile: ${first.problem}`);
  let set = readSet(first.bytes, file);
  let seen = hash(first.bytes);

  async function reload(): Promise<void> {
    const content = await readContent(file);
    const now = content.ok ? hash(content.bytes) : content.problem;
    if (now === seen) return;
    seen = now;
    try {
      if (!content.ok) throw new ConfigError(content.problem);
      set = readSet(content.bytes, file);
      onReload({ ok: true });
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      onReload({ ok: false, problem: error.message });
    }
  }

  const stop = onChange(file, pollSeconds, reload);
  return { findByThumbprint: (thumbprint) => set.find(thumbprint), hasAgent: (id) => set.has(id), close: stop };
}

/** Agents that cannot be read any more must not go unnoticed: one that was removed is still in force. */
function warn(result: ReloadResult): void {
  if (!result.ok)
    process.emitWarning(`agentsFromFile: ${result.problem} The agents read before stay.`, 'CountersignWarning');
}

type Content = { readonly ok: true; readonly bytes: Buffer } | { readonly ok: false; readonly problem: string };

async function readContent(file: string): Promise<Content> {
  try {
    return { ok: true, bytes: await readFile(file) };
  } catch (error) {
    return {
      ok: false,
      problem: `cannot read the agents file: ${error instanceof Error ? error.message : String(error)}`,
    };
  }
}

/** @throws ConfigError */
function readSet(bytes: Buffer, file: string): AgentSet {
  const json = parseStrictJson(bytes);
  if (!json.ok) throw new ConfigError(`${file}: ${json.problem}.`);
  if (!isJsonObject(json.value)) return readAgents(json.value);
  checkOptionNames(file, json.value, ['agents']);
  return readAgents(member(json.value, 'agents'));
}

function hash(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('base64');
}

/**
 * Calls `check`, one call at a time, when the file may have changed. The folder is watched, not the file: editors and
 * deployments put a new file (or a new target of a symbolic link) in its place. Returns what stops it.
 */
function onChange(file: string, pollSeconds: number, check: () => Promise<void>): () => void {
  let settling: NodeJS.Timeout | undefined;
  let running = Promise.resolve();
  const run = (): void => {
    // A listener that throws must not end the watching: the next removal of an agent has to take effect.
    running = running.then(check).catch((error: unknown) => process.emitWarning(String(error), 'CountersignWarning'));
  };
  const poll = setInterval(run, pollSeconds * 1000).unref();
  const watcher = watchFolder(dirname(file), () => {
    // One save makes several notices, some while the file is half written.
    clearTimeout(settling);
    settling = setTimeout(run, settleMilliseconds).unref();
  });
  return () => {
    clearTimeout(settling);
    clearInterval(poll);
    watcher?.close();
  };
}

/** Without a watcher (none left in the system, the folder replaced) polling still finds every change. */
function watchFolder(folder: string, notice: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(folder, { persistent: false }, notice);
    watcher.on('error', () => watcher.close());
    return watcher;
  } catch {
    return undefined;
  }
}
