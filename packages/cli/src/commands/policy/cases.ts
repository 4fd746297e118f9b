import type { PolicyQuery } from '@countersign/core';
import { CliError, exitCodes } from '../../cli-error.js';
import { readRequest, type RequestForm } from './request-form.js';
import type { YamlFile } from './yaml-file.js';

/**
 * `approval` is an allow that counts only with the consent of people. `error` is a deny because of an evaluation error,
 * which is not the same as an intended deny.
 */
export type Expectation = 'allow' | 'approval' | 'deny' | 'error';

/** One query and its expected decision. */
export interface Case {
  readonly name: string;
  /** From 1. */
  readonly line: number;
  readonly query: PolicyQuery;
  readonly expect: Expectation;
  /** The expected determining policies; undefined accepts any. */
  readonly policies: readonly string[] | undefined;
}

/** @throws CliError with the line of a case that is invalid or has no expectation. */
export function readCases({ name: file, value, lines }: YamlFile, vocabulary: readonly string[]): readonly Case[] {
  if (!Array.isArray(value) || value.length === 0) {
    throw new CliError(`${file}: write a list of cases, at least one`, exitCodes.usage);
  }
  return value.map((item: unknown, place) => readCase(item, file, lines[place] ?? 1, vocabulary));
}

function readCase(item: unknown, file: string, line: number, vocabulary: readonly string[]): Case {
  const where = `${file}:${line}`;
  if (typeof item !== 'object' || item === null || Array.isArray(item)) {
    throw new CliError(`${where}: a case must be an object`, exitCodes.usage);
  }
  const { name, expect, policies, ...form } = item as RequestForm;
  if (expect !== 'allow' && expect !== 'approval' && expect !== 'deny' && expect !== 'error') {
    throw new CliError(`${where}: 'expect' must be allow, approval, deny or error`, exitCodes.usage);
  }
  if (name !== undefined && typeof name !== 'string') {
    throw new CliError(`${where}: 'name' must be text`, exitCodes.usage);
  }
  const query = readRequest(form, where, vocabulary);
  const { action, resource } = query;
  return {
    name: name ?? `${action} on ${resource.type}::${JSON.stringify(resource.id)}`,
    line,
    query,
    expect,
    policies: readPolicies(policies, where),
  };
}

function readPolicies(value: unknown, where: string): readonly string[] | undefined {
  if (value === undefined) return undefined;
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value;
  throw new CliError(`${where}: 'policies' must be a list of names, by @id or file.cedar#id`, exitCodes.usage);
}
