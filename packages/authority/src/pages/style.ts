/** The style of all pages: light and dark by the user's choice, and one narrow column. All contrasts are above 4.5. */
export const style = `
:root {
  color-scheme: light dark;
  --ground: #f4f5f7; --card: #ffffff; --text: #1b1f24; --quiet: #566070; --line: #d4d9e0;
  --accent: #0b57b7; --on-accent: #ffffff; --danger: #b3261e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #14171b; --card: #1e2228; --text: #e9ecf0; --quiet: #a8b1bd; --line: #3a414b;
    --accent: #8ab8ff; --on-accent: #0a1a30; --danger: #ff9a90;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--text); font: 1rem/1.5 system-ui, sans-serif; }
main { max-width: 36rem; margin: 2.5rem auto; padding: 2rem; background: var(--card); border: 1px solid var(--line);
  border-radius: 0.75rem; overflow-wrap: anywhere; }
h1 { margin: 0 0 0.75rem; font-size: 1.4rem; line-height: 1.3; }
h2 { margin: 0; font-size: 1.1rem; }
p { margin: 0 0 1rem; }
nav { margin: 0 0 1rem; font-size: 0.925rem; }
nav a { margin-right: 1rem; display: inline-block; padding: 0.35rem 0; }
nav a[aria-current] { font-weight: 600; text-decoration: none; }
h3 { margin: 1.25rem 0 0.35rem; font-size: 1rem; }
ol.chain { margin: 0 0 1rem; padding: 0; list-style: none; }
ol.chain li + li { margin-top: 0.25rem; }
ol.chain li + li::before { content: "↳ " / ""; color: var(--quiet); }
pre { margin: 0.25rem 0; padding: 0.5rem 0.75rem; background: var(--ground); border-left: 3px solid var(--line);
  white-space: pre-wrap; overflow-wrap: anywhere; font: 0.875em/1.45 ui-monospace, monospace; }
details { margin: 0 0 0.5rem; }
.sent { margin: 0 0 1rem; }
summary { cursor: pointer; min-height: 2.25rem; padding: 0.35rem 0; }
.alarm { padding: 0.5rem 0.75rem; margin: 0 0 1rem; border-left: 3px solid var(--danger); background: var(--ground); }
textarea { width: 100%; min-height: 5rem; padding: 0.5rem; font: inherit; color: inherit; background: var(--card);
  border: 1px solid var(--quiet); border-radius: 0.4rem; resize: vertical; }
.quiet { color: var(--quiet); font-size: 0.925rem; }
a { color: var(--accent); }
code { font: 0.925em ui-monospace, monospace; white-space: pre-wrap; }
fieldset { margin: 0 0 1.25rem; padding: 0; border: 0; min-width: 0; }
legend, .label { padding: 0; font-weight: 600; margin-bottom: 0.35rem; display: block; }
ul { margin: 0 0 1.25rem; padding: 0; list-style: none; }
li.item { padding: 1rem 0; border-top: 1px solid var(--line); }
.choice { display: flex; gap: 0.6rem; align-items: center; padding: 0.35rem 0; min-height: 2.25rem; }
.choice input { width: 1.2rem; height: 1.2rem; margin: 0; flex: none; accent-color: var(--accent); }
.limit { padding: 0.5rem 0.75rem; margin: 0 0 0.5rem; border-left: 3px solid var(--accent); background: var(--ground); }
select { width: 100%; min-height: 2.75rem; padding: 0.4rem; font: inherit; color: inherit; background: var(--card);
  border: 1px solid var(--quiet); border-radius: 0.4rem; }
.field { margin-bottom: 1.25rem; }
.buttons { display: flex; flex-wrap: wrap; gap: 0.75rem; margin-top: 1.5rem; }
button { min-height: 2.75rem; padding: 0.5rem 1.25rem; font: inherit; font-weight: 600; border-radius: 0.4rem; cursor: pointer;
  border: 1px solid var(--accent); background: var(--accent); color: var(--on-accent); }
button.plain { background: transparent; color: var(--accent); }
.who { display: flex; flex-wrap: wrap; align-items: center; justify-content: space-between; gap: 0 1rem; margin-bottom: 0.5rem; }
.who p { margin: 0; }
button.link { min-height: 2.25rem; padding: 0; border: 0; background: transparent; color: var(--accent);
  font-weight: 400; text-decoration: underline; }
button.danger { background: transparent; color: var(--danger); border-color: var(--danger); }
.buttons button { flex: 1 1 8rem; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
dl { display: grid; grid-template-columns: fit-content(45%) 1fr; gap: 0.15rem 0.9rem; margin: 0.5rem 0 0.9rem; }
dt { color: var(--quiet); white-space: pre-wrap; }
dd { margin: 0; min-width: 0; }
@media (max-width: 30rem) {
  main { margin: 0; padding: 1.25rem; min-height: 100vh; border: 0; border-radius: 0; }
  dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: 0.5rem; }
}
`;
