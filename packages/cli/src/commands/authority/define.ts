import { type Command, Option } from 'commander';
import type { Io } from '../../io.js';
import type { AuthorityCommandOptions } from './serve.js';
import { withAuthorityPackage } from './authority-package.js';
import { defineAgents } from './define-agents.js';
import { defineApprovals } from './define-approvals.js';
import { defineDev } from './define-dev.js';

/** Adds `authority`, `agents`, `approvals` and `dev`. Each is loaded when it runs. */
export function defineAuthority(program: Command, io: Io): void {
  program
    .command('authority')
    .description('run an authority: it registers agents, issues short-lived tokens, exchanges and revokes')
    .requiredOption('-c, --config <file>', 'JSON: issuer, listen, secretFile, adminTokenFile, store, resources …')
    .addOption(new Option('--listen <address>', 'where to listen, instead of what the file says'))
    .addHelpText(
      'after',
      `
It needs the package @countersign/authority beside the command line.
Paths in the file are relative to its folder. It listens on plain http, by
default at 127.0.0.1:8080: put a proxy with TLS before it. Standard output gets
one line of JSON with the URL. SIGTERM answers the requests that have begun,
then closes the store.

Exit code 2: something in the file is wrong.

A file:
  { "issuer": "https://id.acme.dev", "secretFile": "secret",
    "adminTokenFile": "admin-token", "store": { "sqlite": "authority.db" },
    "resources": [{ "audience": "https://api.acme.dev" }] }

Example:
  countersign authority --config authority.json`,
    )
    .action(async (options: AuthorityCommandOptions) => {
      const { serveAuthority } = await withAuthorityPackage(() => import('./serve.js'));
      await serveAuthority(options, io);
    });
  defineAgents(program, io);
  defineApprovals(program, io);
  defineDev(program, io);
}
