import { readFile } from 'node:fs/promises';
import { isCollection, isSeq, LineCounter, parseDocument } from 'yaml';
import { CliError, exitCodes } from '../../cli-error.js';
import type { Io } from '../../io.js';

/** The content of a YAML or JSON file. */
export interface YamlFile {
  readonly name: string;
  readonly value: unknown;
  /** If the content is a list: the line of each item, from 1. */
  readonly lines: readonly number[];
}

/** Reads YAML 1.2, which includes JSON; - is standard input. @throws CliError with the line. */
export async function readYaml(file: string, io: Io): Promise<YamlFile> {
  const text = file === '-' ? Buffer.from(await io.stdin()).toString() : await readText(file);
  const name = file === '-' ? 'standard input' : file;
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, prettyErrors: false });
  const [error] = [...document.errors, ...document.warnings];
  if (error !== undefined) {
    throw new CliError(`${name}:${lineCounter.linePos(error.pos[0]).line}: ${error.message}`, exitCodes.usage);
  }
  const items = isSeq(document.contents) ? document.contents.items : [];
  const lines = items.map((item) => lineCounter.linePos((isCollection(item) ? item.range?.[0] : undefined) ?? 0).line);
  return { name, value: valueOf(() => document.toJS(), name), lines };
}

/** Conversion throws on too many aliases. */
function valueOf(read: () => unknown, name: string): unknown {
  try {
    return read();
  } catch (error) {
    throw new CliError(`${name}: ${error instanceof Error ? error.message : String(error)}`, exitCodes.usage);
  }
}

async function readText(file: string): Promise<string> {
  return await readFile(file, 'utf8').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
      throw new CliError(
        `${file}: there is no such file. Write it (countersign policy test --help shows a case), or name another file.`,
      );
    }
    throw new CliError(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  });
}
