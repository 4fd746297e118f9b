import { readFileSync } from 'node:fs';
import { defineConfig } from 'vitepress';
import llmstxt from 'vitepress-plugin-llms';
import { repository, site } from '../places.mjs';

// Files that pages link to as they are: not pages, so no dead links.
process.env.VITE_EXTRA_EXTENSIONS = 'sh';

const sidebar = JSON.parse(readFileSync(new URL('../.pages/sidebar.json', import.meta.url), 'utf8'));
const description = 'Middleware that verifies, decides and records every call of an AI agent to your API.';

/** The anchors of GitHub, which the tests of links check. */
const slugify = (text) =>
  text
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(' ', '-');

/** Of the API only names are searched: the text of all members would be most of the index. */
const textForSearch = (source, env, markdown) =>
  markdown.render(env.relativePath.startsWith('api/') ? source.match(/^#{1,3} .+$/gm).join('\n\n') : source, env);

export default defineConfig({
  title: 'Countersign',
  description,
  lang: 'en',
  base: site.pathname,
  srcDir: '.pages',
  cleanUrls: true,
  metaChunk: true,
  ignoreDeadLinks: false,
  sitemap: { hostname: site.href },
  markdown: { anchor: { slugify }, theme: { light: 'github-light-high-contrast', dark: 'github-dark-high-contrast' } },
  themeConfig: {
    sidebar,
    outline: [2, 3],
    nav: [
      { text: 'Quickstart', link: '/quickstart' },
      { text: 'Guides', link: '/documentation' },
      { text: 'Reference', link: '/reference/options' },
      { text: 'Refusals', link: '/refusals/' },
      { text: 'API', link: '/api/' },
      { text: 'Decisions', link: '/decisions/' },
    ],
    socialLinks: [{ icon: 'github', link: repository }],
    search: { provider: 'local', options: { _render: textForSearch } },
    externalLinkIcon: true,
    docFooter: { prev: false, next: false },
  },
  vite: {
    plugins: [llmstxt({ domain: site.origin, ignoreFiles: ['api/**'], excludeIndexPage: true })],
    build: { chunkSizeWarningLimit: 4000 },
  },
});
