import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CliError, exitCodes } from '../../cli-error.js';
import type { Io } from '../../io.js';
import { printable } from '../../text.js';
import { requireEmpty } from '../empty-folder.js';
import { readHeaders } from '../headers.js';
import { countText } from '../policy/lines.js';
import { guardFiles } from './guard-folder.js';
import { toolsAt, toolsOfCommand } from './list-tools.js';
import { scaffold } from './scaffold.js';

export interface InitOptions {
  readonly from?: string;
  readonly header: readonly string[];
}

/** Writes the folder of a guard for a server: what it permits at first, and what it closes. */
export async function init(folder: string, command: readonly string[], options: InitOptions, io: Io): Promise<void> {
  const { from, header } = options;
  if ((from === undefined) === (command.length === 0)) {
    throw new CliError('Say which server: either --from URL, or -- COMMAND', exitCodes.usage);
  }
  await requireEmpty(folder);
  const tools = from === undefined ? await toolsOfCommand(command) : await toolsAt(from, readHeaders(header), io.fetch);
  for (const [name, content] of Object.entries(scaffold(tools))) {
    const file = join(folder, name);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, content, { flag: 'wx' });
    io.out(`${printable(file)}\n`);
  }
  const closed = tools.filter(({ annotations }) => annotations?.readOnlyHint !== true).length;
  const policies = printable(join(folder, guardFiles.policies));
  io.err(
    `${countText(tools.length, 'tool')}: ${tools.length - closed} permitted because they say they only read, ` +
      `${closed} closed.\nOpen what you mean in ${policies}/policies.cedar, then: countersign policy test ${policies}\n${nextSteps(folder, from)}\n`,
  );
}

function nextSteps(folder: string, from: string | undefined): string {
  const guard = printable(folder);
  if (from === undefined) return `Run it: countersign mcp --guard ${guard} --as AGENT --for USER -- COMMAND`;
  const agents = printable(join(folder, guardFiles.agents));
  return (
    `Add an agent: countersign keygen --id AGENT --agents ${agents}\n` +
    `Run it: countersign mcp --guard ${guard} --url ${printable(from)}`
  );
}
