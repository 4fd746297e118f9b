import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CliError, exitCodes } from '../../cli-error.js';
import type { Io } from '../../io.js';
import { printable } from '../../text.js';
import { exists, readApplication } from './application.js';
import { expectsPeople, findApplications, guardPathIn, isTypescript } from './applications.js';
import { unifiedDiff } from './diff.js';
import { planEdits } from './edits.js';
import { planFiles } from './files.js';
import { findNestRoutes } from './find-nest-routes.js';
import { findRoutes } from './find-routes.js';
import { readForeign } from './foreign.js';
import { mentionsGuard } from './guard-uses.js';
import { report } from './report.js';
import { foreignPlaces } from './route-places.js';
import { chooseRoutes } from './routes-file.js';
import { readSources, type Source } from './sources.js';
import { ownFolder, type PlannedFile, readWritten, undo, writeAll } from './written.js';

export interface InitOptions {
  readonly origin: string;
  readonly id: string;
  readonly framework?: string;
  readonly routes?: string;
  readonly undo: boolean;
}

const ignoredLines = ['/agent.pem', '/issuer.pem', '/token.jwt', '/dev.json', '/audit/', `/${ownFolder}/`];

/** Puts a guard into an application: writes what is new, and prints the diff of what is there. All of it, or nothing. */
export async function init(folder: string, options: InitOptions, io: Io): Promise<void> {
  if (options.undo) return await undoInit(folder, io);
  const { origin, id } = options;
  if (!/^https?:\/\/[\w.:[\]-]+$/.test(origin)) {
    throw new CliError('--origin must be like http://localhost:3000, without a path', exitCodes.usage);
  }
  const manifest = await readApplication(folder, options.framework);
  const sources = await readSources(folder);
  const { framework } = manifest;
  const applications = findApplications(sources, framework);
  const typescript = isTypescript(sources, manifest, applications);
  const guardPath = guardPathIn(sources, typescript);
  const hasUsers = manifest.hasUsers || expectsPeople(sources.find(({ path }) => path === guardPath));
  const application = { ...manifest, typescript, hasUsers };
  const foreign = readForeign(sources, manifest);
  const found = framework === 'nestjs' ? findNestRoutes(sources) : findRoutes(sources, framework, foreign);
  const choice = await chooseRoutes(folder, options.routes, found, foreignPlaces(sources, foreign), sources);
  const written = await readWritten(folder);
  const plan = await planFiles({ folder, application, origin, id, choice, guardPath, written });
  const edits = planEdits(sources, found, choice.declared, { application, applications, guardPath });
  const diff = unifiedDiff(edits.edited);
  const diffFile = await diffPath(folder, sources);
  const files: readonly PlannedFile[] = [...plan.files, ...(diff === '' ? [] : [{ path: diffFile, text: diff }])];
  const ignored = await missingLines(folder);

  if (files.length + ignored.length > 0) await writeAll(folder, files, ignored);
  io.out(diff);
  const diffName = diff === '' ? undefined : diffFile;
  report(
    { folder, application, sources, found, foreign, choice, plan, edits, guardPath, diffFile: diffName, origin, id },
    io,
  );
}

async function undoInit(folder: string, io: Io): Promise<void> {
  const user = (await readSources(folder)).find(mentionsGuard);
  if (user !== undefined) {
    const diffs = [`${ownFolder}/init.diff`];
    for (let next = laterDiff(2); await exists(join(folder, next)); next = laterDiff(diffs.length + 1))
      diffs.push(next);
    const commands = diffs.toReversed().map((path) => `git apply -R ${path}`);
    throw new CliError(`${user.path} still uses the guard. First: ${commands.join(' && ')}`);
  }
  const { removed, kept } = await undo(folder);
  for (const path of removed) io.err(`removed ${printable(path)}\n`);
  for (const path of kept) io.err(`kept ${printable(path)}: it was changed since\n`);
  if (removed.length > 0 && (await exists(join(folder, 'audit')))) io.err('kept audit/: it is the log of the guard\n');
  if (removed.length + kept.length === 0) io.err('There is nothing that an init wrote.\n');
}

/** A diff that was applied stays, so that it can be taken back. */
async function diffPath(folder: string, sources: readonly Source[]): Promise<string> {
  const first = `${ownFolder}/init.diff`;
  if (!sources.some(mentionsGuard)) return first;
  let number = 1;
  let path = first;
  while (await exists(join(folder, path))) path = laterDiff((number += 1));
  return path;
}

function laterDiff(number: number): string {
  return `${ownFolder}/init-${number}.diff`;
}

async function missingLines(folder: string): Promise<readonly string[]> {
  const text = await readFile(join(folder, '.gitignore'), 'utf8').catch(() => '');
  const present = text.split(/\r?\n/).map((line) => line.trim());
  return ignoredLines.filter((line) => !present.includes(line));
}
