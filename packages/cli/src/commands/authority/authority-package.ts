import { CliError } from '../../cli-error.js';

/** Loads a command that runs an authority: with its database and its OAuth library, the package is an optional peer. */
export async function withAuthorityPackage<Module>(load: () => Promise<Module>): Promise<Module> {
  try {
    return await load();
  } catch (error) {
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND';
    if (!isMissing || !error.message.includes("'@countersign/authority'")) throw error;
    throw new CliError(
      "this command needs the package '@countersign/authority' beside the command line: npm install @countersign/cli @countersign/authority",
    );
  }
}
