import type { Command } from 'commander';
import type { Io } from '../io.js';
import type { TokenCommandOptions } from './token.js';

/** Adds `token`. */
export function defineToken(program: Command, io: Io): void {
  program
    .command('token')
    .description('mint a token in which a user lets an agent act, with the key of an issuer of your own')
    .requiredOption('--user <id>', 'the user, as your application knows them')
    .requiredOption('--agent <id>', 'the agent, as it is in agents.json')
    .requiredOption('--scope <scopes>', 'what the agent may do, separated by spaces or commas')
    .option('--audience <origin>', 'the API: the origin of its guard', 'http://localhost:3000')
    .option('--issuer <url>', 'the name of the issuer, as the guard trusts it', 'https://id.localhost')
    .option('--ttl <seconds>', 'until it expires; the API accepts 3600 by default', '3600')
    .option('--key <file>', 'private key of the issuer; it is made if it is missing', 'issuer.pem')
    .option('--jwks <file>', 'its public key, which the guard reads', 'issuer-jwks.json')
    .addHelpText(
      'after',
      `
For development, and for tests by hand: nobody asks the user. Keep the key out
of git. The token goes to standard output; the first call also prints the line
for createGuard.

Example:
  countersign token --user 5f1c9a --agent agent-dev --scope order:read > token.jwt
  countersign curl GET http://localhost:3000/orders --key agent.pem \\
    --token @token.jwt`,
    )
    .action(async (options: TokenCommandOptions) => {
      const { token } = await import('./token.js');
      await token(options, io);
    });
}
