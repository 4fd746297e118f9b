import { Argument, type Command } from 'commander';
import type { Io } from '../../io.js';
import type { StoreOptions } from './open-store.js';
import type { RevokeOptions } from './revoke.js';

const revocableKinds = ['agent', 'key', 'subject', 'delegation', 'issuer'];
const freezableKinds = ['agent', 'tenant', 'everything'];

/** Adds `revoke`, `restore`, `freeze`, `unfreeze` and `revocations`, which change what processes share. */
export function defineRevocations(program: Command, io: Io): void {
  withIssuer(withStore(program.command('revoke').description('revoke in every process that shares a store')))
    .addArgument(new Argument('<kind>', 'what is revoked').choices(revocableKinds))
    .argument('<id>', 'its id, as in the audit log; of a key, its thumbprint')
    .option('--until <time>', 'when to forget it: ISO 8601, like 2027-01-31T00:00:00Z (default: never)')
    .addHelpText(
      'after',
      `
Examples:
  countersign revoke agent agent-code-reviewer-01 --store redis://redis.internal
  countersign revoke subject user_123 --issuer https://id.acme.dev`,
    )
    .action(async (kind: string, id: string, options: RevokeOptions) => {
      await (await import('./revoke.js')).revoke(kind, id, options, io);
    });

  withIssuer(withStore(program.command('restore').description('take a revocation back, exactly as it was made')))
    .addArgument(new Argument('<kind>', 'what was revoked').choices(revocableKinds))
    .argument('<id>', 'its id')
    .addHelpText('after', '\nExample:\n  countersign restore agent agent-code-reviewer-01')
    .action(async (kind: string, id: string, options: RevokeOptions) => {
      await (await import('./revoke.js')).restore(kind, id, options, io);
    });

  withStore(program.command('freeze').description('stop an agent, a tenant or everything, until unfreeze'))
    .addArgument(new Argument('<kind>', 'what is frozen').choices(freezableKinds))
    .argument('[id]', 'id of the agent; of a tenant, its issuer or what the ids of its users and agents begin with')
    .addHelpText(
      'after',
      `
Examples:
  countersign freeze tenant acme: --store postgres://db.internal/api
  countersign freeze everything`,
    )
    .action(async (kind: string, id: string | undefined, options: StoreOptions) => {
      await (await import('./revoke.js')).freeze(kind, id, options, io);
    });

  withStore(program.command('unfreeze').description('let go on what was frozen; revocations stay'))
    .addArgument(new Argument('<kind>', 'what was frozen').choices(freezableKinds))
    .argument('[id]', 'as it was frozen')
    .addHelpText('after', '\nExample:\n  countersign unfreeze everything')
    .action(async (kind: string, id: string | undefined, options: StoreOptions) => {
      await (await import('./revoke.js')).unfreeze(kind, id, options, io);
    });

  const revocations = program.command('revocations').description('the list of what is revoked or frozen in a store');
  withStore(revocations.command('list').description('print it'))
    .option('--json', 'one JSON object a line', false)
    .addHelpText('after', '\nExample:\n  countersign revocations list --store /run/secrets/store-url')
    .action(async (options: StoreOptions & { readonly json: boolean }) => {
      await (await import('./revoke.js')).list(options, io);
    });
  withStore(revocations.command('begin').description('begin the list in a new store, once; keep one that is there'))
    .addHelpText(
      'after',
      `
No process begins a list by itself: it would turn the loss of all revocations,
or a wrong database, into an empty list.

Example:
  countersign revocations begin --store redis://redis.internal`,
    )
    .action(async (options: StoreOptions) => {
      await (await import('./revoke.js')).begin(options, io);
    });
}

function withStore(command: Command): Command {
  return command
    .option(
      '--store <url>',
      'redis://host, rediss://host or postgres://host/database, or a file that holds it (default: COUNTERSIGN_STORE of the environment)',
    )
    .option('--prefix <prefix>', 'what names of keys begin with in Redis (default: countersign)');
}

function withIssuer(command: Command): Command {
  return command.option('--issuer <url>', "only this issuer's subject or delegation (default: every issuer's)");
}
