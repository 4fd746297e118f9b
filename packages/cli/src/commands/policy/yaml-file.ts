import { readFile } from 'node:fs/promises';
import { isCollection, isSeq, LineCounter, parseDocument } from 'yaml';
import { CliError, exitCodes } from '../../cli-error.js';
import type { Io } from '../../io.js';

/** What a YAML or JSON file holds. */
export interface YamlFile {
  readonly name: string;
  readonly value: unknown;
  /** If it holds a list: the line of each item, from 1. */
  readonly lines: readonly number[];
}

/** Reads YAML 1.2, of which JSON is a part; - is standard input. @throws CliError naming the line. */
export async function readYaml(file: string, io: Io): Promise<YamlFile> {
  const text = file === '-' ? Buffer.from(await io.stdin()).toString() : await textOf(file);
  const name = file === '-' ? 'standard input' : file;
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, prettyErrors: false });
  const [fault] = [...document.errors, ...document.warnings];
  if (fault !== undefined) {
    throw new CliError(`${name}:${lineCounter.linePos(fault.pos[0]).line}: ${fault.message}`, exitCodes.usage);
  }
  const items = isSeq(document.contents) ? document.contents.items : [];
  const lines = items.map((item) => lineCounter.linePos((isCollection(item) ? item.range?.[0] : undefined) ?? 0).line);
  return { name, value: valueOf(() => document.toJS(), name), lines };
}

/** Too many aliases are a fault of the file. */
function valueOf(read: () => unknown, name: string): unknown {
  try {
    return read();
  } catch (error) {
    throw new CliError(`${name}: ${error instanceof Error ? error.message : String(error)}`, exitCodes.usage);
  }
}

async function textOf(file: string): Promise<string> {
  return await readFile(file, 'utf8').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
      throw new CliError(
        `${file}: there is no such file. Write it (countersign policy test --help shows a case), or name another file.`,
      );
    }
    throw new CliError(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  });
}
