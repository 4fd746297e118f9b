import { join } from 'node:path';
import { auditFile, cedarFromDirectory, createGuard, type Guard, type GuardOptions } from '@countersign/core';
import type { Io } from '../../io.js';
import { printable } from '../../text.js';
import { withCliErrors } from '../policy/load.js';
import { guardFiles, readAgents } from './guard-folder.js';
import { printObservedRefusals } from './observed-refusals.js';

export interface GuardFolderOptions {
  readonly guard: string;
  readonly audit?: string;
  readonly observe?: boolean;
}

/** Creates a guard from its folder. @throws CliError when something in it is wrong. */
export async function openGuard(
  { guard: folder, audit = join(folder, guardFiles.audit), observe = false }: GuardFolderOptions,
  options: Pick<GuardOptions, 'origin' | 'issuers' | 'audience' | 'bearer' | 'protectedResource'>,
  io: Io,
): Promise<Guard> {
  return await withCliErrors(
    async () =>
      await createGuard({
        agents: await readAgents(folder),
        policy: await cedarFromDirectory(join(folder, guardFiles.policies)),
        audit: observe ? [auditFile(audit), printObservedRefusals(io)] : auditFile(audit),
        mode: observe ? 'observe' : 'enforce',
        onTrouble: (trouble) => io.err(`${printable(trouble)}\n`),
        ...options,
      }),
  );
}
