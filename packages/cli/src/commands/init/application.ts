import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf, isJsonObject, type JsonObject, member } from '@countersign/common';
import { CliError, exitCodes } from '../../cli-error.js';

export const frameworks = ['express', 'fastify', 'koa', 'nestjs'] as const;
export type Framework = (typeof frameworks)[number];

const runners = ['vitest', 'jest', 'mocha'] as const;
export type TestRunner = (typeof runners)[number] | 'node';

/** What `init` has to know of an application. */
export interface Application {
  readonly framework: Framework;
  /** The packages of ours that it needs beside core. */
  readonly adapters: readonly string[];
  /** Whether `.js` files are ES modules. */
  readonly esm: boolean;
  readonly typescript: boolean;
  /** The library by which people sign in; undefined if there is none that is known. */
  readonly login: string | undefined;
  /** Whether people call it, too: there is a login, or the guard says so. */
  readonly hasUsers: boolean;
  /** `node`: that of Node, where package.json names no other. */
  readonly runner: TestRunner;
  /** All packages that package.json names. */
  readonly packages: readonly string[];
  /** The command that installs packages. */
  readonly install: string;
  /** What is older than our packages support. */
  readonly tooOld: readonly string[];
}

/** The major versions from which packages work: docs/guides/install.md. */
const oldest: Readonly<Record<string, number>> = { express: 4, fastify: 5, koa: 2, '@nestjs/core': 10, jest: 29 };

/** Those that sign people in for the whole application come before those that guard some of its routes. */
const logins = [
  'passport',
  'koa-passport',
  'express-session',
  'cookie-session',
  '@fastify/session',
  '@fastify/secure-session',
  'koa-session',
  'better-auth',
  'express-openid-connect',
  '@fastify/jwt',
  'koa-jwt',
  'express-jwt',
  'express-basic-auth',
  'jsonwebtoken',
];

const installs = [
  ['pnpm-lock.yaml', 'pnpm add'],
  ['yarn.lock', 'yarn add'],
  ['bun.lock', 'bun add'],
] as const;

/** @throws CliError (as a rejection) if there is no application of a framework that is known. */
export async function readApplication(folder: string, chosen: string | undefined): Promise<Application> {
  const manifest = await readManifest(join(folder, 'package.json'));
  const dependencies = membersOf(manifest, ['dependencies', 'peerDependencies']);
  const all = [...dependencies, ...membersOf(manifest, ['devDependencies'])];
  const framework = frameworkOf(dependencies, chosen);
  const old = tooOldIn(manifest);
  const login = logins.find((name) => dependencies.includes(name));
  const platform = dependencies.includes('@nestjs/platform-fastify') ? 'fastify' : 'express';
  return {
    framework,
    adapters: (framework === 'nestjs' ? ['nestjs', platform] : [framework]).map((name) => `@countersign/${name}`),
    esm: member(manifest, 'type') === 'module',
    typescript: all.includes('typescript') || (await exists(join(folder, 'tsconfig.json'))),
    login,
    hasUsers: login !== undefined,
    runner: runners.find((name) => all.includes(name) && !old.has(name)) ?? 'node',
    packages: all,
    install: await installOf(folder),
    tooOld: [...old].map(([name, range]) => `${name} ${range}: ${oldest[name]} is the oldest that works`),
  };
}

/** Whether a folder has dependencies of its own, and no framework: a client beside the application, for example. */
export async function namesOtherPackage(folder: string): Promise<boolean> {
  const manifest = await readManifest(join(folder, 'package.json')).catch(() => ({}));
  const names = membersOf(manifest, ['dependencies', 'devDependencies', 'peerDependencies']);
  return names.length > 0 && !names.some((name) => frameworkPackages.has(name));
}

const frameworkPackages: ReadonlySet<string> = new Set(['express', 'fastify', 'koa', '@nestjs/core']);

async function readManifest(path: string): Promise<JsonObject> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if (codeOf(error) !== 'ENOENT') throw error;
    throw new CliError(`${path} is missing: name the folder of your application`, exitCodes.usage);
  });
  try {
    const manifest: unknown = JSON.parse(text);
    if (isJsonObject(manifest)) return manifest;
  } catch {
    // Reported below.
  }
  throw new CliError(`${path} is no JSON object`, exitCodes.usage);
}

function membersOf(manifest: JsonObject, lists: readonly string[]): readonly string[] {
  return lists.flatMap((name) => Object.keys((manifest as Record<string, object | undefined>)[name] ?? {}));
}

/** By name, the ranges that only old versions are in, as far as they begin with a number. */
function tooOldIn(manifest: JsonObject): ReadonlyMap<string, string> {
  const { dependencies, devDependencies } = manifest as Record<string, Record<string, unknown> | undefined>;
  const ranges = Object.entries({ ...devDependencies, ...dependencies });
  return new Map(
    ranges.flatMap(([name, range]) => {
      const major = Number(/^[~^=v]*(\d+)/.exec(String(range))?.[1] ?? Infinity);
      return major < (oldest[name] ?? 0) ? [[name, String(range)] as const] : [];
    }),
  );
}

function frameworkOf(dependencies: readonly string[], chosen: string | undefined): Framework {
  if (chosen !== undefined) {
    const known = frameworks.find((name) => name === chosen);
    if (known !== undefined) return known;
    throw new CliError(`--framework: '${chosen}' is none of ${frameworks.join(', ')}`, exitCodes.usage);
  }
  // It names its platform, too.
  if (dependencies.includes('@nestjs/core')) return 'nestjs';
  const [found, other] = frameworks.filter((name) => dependencies.includes(name));
  if (found === undefined) {
    throw new CliError(`package.json names none of ${frameworks.join(', ')}`, exitCodes.usage);
  }
  if (other === undefined) return found;
  throw new CliError(`package.json names ${found} and ${other}: choose with --framework`, exitCodes.usage);
}

async function installOf(folder: string): Promise<string> {
  for (const [file, command] of installs) if (await exists(join(folder, file))) return command;
  return 'npm install';
}

export async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
