import { ConfigError } from '@countersign/common';
import { cedarFromText } from '../../../src/cedar/from-source.js';
import { REPO_SCHEMA } from '../../query.js';

/** `loaded`, or why policies do not load. An empty schema is none. */
export async function loads(policies: string, schema: string | undefined = REPO_SCHEMA): Promise<string> {
  try {
    const engine = await cedarFromText({ policies, ...(schema && { schema }) });
    await engine.close?.();
    return 'loaded';
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.message;
  }
}
