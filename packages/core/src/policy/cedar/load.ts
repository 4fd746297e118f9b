import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { checkOptionNames, ConfigError } from '../../config-error.js';
import { type CedarEngine, type CedarSource, createCedarEngine } from './engine.js';
import type { NamedTexts } from './schema.js';

/**
 * Reads every `*.cedar` and `*.cedarschema` file of a folder (not of folders within) and validates them. Decisions name
 * policies `file.cedar#id`, with the policy's `@id`, or its place in the file, from 0.
 *
 * @throws ConfigError naming file and line, if the folder cannot be read, there is no policy, or one does not parse,
 * validate, or bear a name of its own.
 *
 * @example
 * const policy = await cedarFromDirectory('policies');
 */
export async function cedarFromDirectory(path: string): Promise<CedarEngine> {
  const owner = `cedarFromDirectory('${path}')`;
  const names = await readdir(path).catch((error: unknown) => {
    throw new ConfigError(
      `${owner}: the folder cannot be read (${String(error)}). Create it and put *.cedar files in it.`,
    );
  });
  await refuseOverlooked(owner, path, names);
  const policies = await readTexts(
    owner,
    path,
    names.filter((name) => name.endsWith('.cedar')),
  );
  const schema = await readTexts(
    owner,
    path,
    names.filter((name) => name.endsWith('.cedarschema')),
  );
  if (Object.keys(schema).length === 0) {
    process.emitWarning(
      `${owner}: there is no *.cedarschema file, so that no typo in a policy can be found. Write one (docs/guide.md, step 2).`,
      'CountersignWarning',
    );
  }
  return createCedarEngine(owner, Object.keys(schema).length === 0 ? { policies } : { policies, schema });
}

/**
 * Takes policies as text. In decisions, a single text goes by the name of `policies.cedar`.
 *
 * @throws ConfigError as {@link cedarFromDirectory} does.
 *
 * @example
 * const policy = await cedarFromText({
 *   policies: '@id("readers") permit(principal in Role::"reader", action == Action::"invoice.read", resource);',
 * });
 */
// Async so that all engines are created alike, and loading may move off the main thread.
export async function cedarFromText(source: CedarSource): Promise<CedarEngine> {
  const owner = 'cedarFromText';
  if (typeof source !== 'object' || source === null) throw new ConfigError(`${owner}: pass { policies, schema }.`);
  checkOptionNames(owner, source, ['policies', 'schema']);
  if (!isText(source.policies)) throw new ConfigError(`${owner}: 'policies' must be text, or texts by file name.`);
  if (source.schema !== undefined && !isText(source.schema)) {
    throw new ConfigError(`${owner}: 'schema' must be text, or texts by file name.`);
  }
  return createCedarEngine(owner, source);
}

/** A forbid in a file that nobody reads would weaken silently. */
async function refuseOverlooked(owner: string, path: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const within = await readdir(join(path, name)).catch(() => []);
    if (looksOverlooked(name) || within.some((file) => /\.cedar$/i.test(file))) {
      throw new ConfigError(
        `${owner}: ${name} would not be read. Policies are *.cedar and schemas *.cedarschema, in this folder itself.`,
      );
    }
  }
}

function looksOverlooked(name: string): boolean {
  if (/\.cedar(?:schema)?$/.test(name)) return false;
  return /\.cedar(?:\.?schema)?(?:\.json)?$/i.test(name);
}

async function readTexts(owner: string, path: string, names: readonly string[]): Promise<NamedTexts> {
  const texts = names.toSorted().map(async (name): Promise<[string, string]> => {
    const bytes = await readFile(join(path, name)).catch((error: unknown) => {
      throw new ConfigError(`${owner}: ${name} cannot be read (${String(error)}).`);
    });
    return [name, decode(owner, name, bytes)];
  });
  return Object.fromEntries(await Promise.all(texts));
}

function decode(owner: string, name: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new ConfigError(`${owner}: ${name} is not UTF-8. Save it as UTF-8.`);
  }
}

function isText(value: unknown): boolean {
  if (typeof value === 'string') return true;
  return typeof value === 'object' && value !== null && Object.values(value).every((text) => typeof text === 'string');
}
