import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type AgentDirectory, agentsFromFile, agentsFromObjects, parseStrictJson } from '@countersign/core';
import type { McpRules } from '@countersign/mcp';
import { CliError, exitCodes } from '../../cli-error.js';
import { printable } from '../../text.js';

/** The files of a guard's folder. */
export const guardFiles = { policies: 'policies', tools: 'tools.json', agents: 'agents.json', audit: 'audit' } as const;

/** The tools of the folder, with how each is decided. @throws CliError when the file is missing or cannot be read. */
export async function readTools(folder: string): Promise<Required<Pick<McpRules, 'tools'>>> {
  const file = join(folder, guardFiles.tools);
  const text = await readFile(file, 'utf8').catch(() => {
    const message = `${printable(file)} is missing: begin with countersign mcp init ${printable(folder)}`;
    throw new CliError(message, exitCodes.usage);
  });
  const parsed = parseStrictJson(text);
  const tools = parsed.ok ? (parsed.value as { readonly tools?: unknown } | null)?.tools : undefined;
  if (typeof tools !== 'object' || tools === null || Array.isArray(tools) || !Object.values(tools).every(isObject)) {
    throw new CliError(`${printable(file)} must be like { "tools": { "NAME": {} } }`, exitCodes.usage);
  }
  return { tools: tools as NonNullable<McpRules['tools']> };
}

/** The agents of the folder. Without `agents.json` there are none, which is enough over standard input. */
export async function readAgents(folder: string): Promise<AgentDirectory> {
  const file = join(folder, guardFiles.agents);
  const exists = await access(file).then(
    () => true,
    () => false,
  );
  return exists ? await agentsFromFile(file) : agentsFromObjects([]);
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
