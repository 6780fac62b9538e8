/* The state of a page is in its address; each change draws the page anew. */
const open = new Set();
let state = {}, tell = () => {};

function readAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  state = Object.fromEntries(PAGE.controls.map(({ key, values, first }) => [key, values.some(([value]) => value === given.get(key)) ? given.get(key) : first]));
}
function choose(key, value) {
  const control = PAGE.controls.find((known) => known.key === key);
  const next = { ...state, [key]: control.all && state[key] === value ? "" : value };
  const kept = new URLSearchParams(PAGE.controls.filter((known) => next[known.key] !== known.first).map((known) => [known.key, next[known.key]]));
  history.pushState(null, "", `#${kept}`);
  draw();
}
function step(by) {
  const { key, values } = PAGE.controls.find((known) => known.steps), at = values.findIndex(([value]) => value === state[key]) + by;
  if (values[at]) choose(key, values[at][0]);
}
function control({ key, label, values, all, steps, toggle }) {
  if (toggle) return `<span class="toggle">${values.map(([value, name]) => `<button data-set="${key}" data-to="${value}" aria-pressed="${state[key] === value}">${esc(name)}</button>`).join("")}</span>`;
  const options = [...(all ? [["", "all"]] : []), ...values].map(([value, name]) => `<option value="${esc(value)}"${value === state[key] ? " selected" : ""}>${esc(name)}</option>`);
  const select = `<label>${esc(label)} <select data-key="${key}">${options.join("")}</select></label>`;
  return steps ? `<button data-step="-1" aria-label="earlier">‹</button>${select}<button data-step="1" aria-label="later">›</button>` : select;
}
function draw() {
  readAddress();
  const focused = document.activeElement?.closest("[data-set],[data-open],[data-key],[data-step]")?.dataset;
  const view = typeof figures === "function" ? figures() : PAGE.states ? PAGE.states[PAGE.controls.map(({ key }) => state[key]).join("|")] || PAGE.nothing : {};
  const blocks = PAGE.blocks.map((b, i) => ({ ...b, ...view.blocks?.[i] })).slice(0, view === PAGE.nothing ? 1 : undefined);
  document.querySelector("h1").textContent = view.title ?? PAGE.title;
  document.getElementById("lede").textContent = view.lede ?? PAGE.lede;
  const chips = PAGE.controls.filter(({ key, all }) => all && state[key]).map(({ key }) => `<button class="chip" data-set="${key}" data-to="${esc(state[key])}">${esc(state[key])} ×</button>`);
  document.getElementById("controls").innerHTML = PAGE.controls.map(control).join("") + chips.join("");
  const main = document.getElementById("blocks");
  main.innerHTML = blocks.map(frame).join("");
  [...main.children].forEach((element, i) => {
    const place = element.querySelector(".chart") || element;
    place.innerHTML = DRAW[blocks[i].form](blocks[i], place.clientWidth);
  });
  if (focused) {
    const again = Object.entries(focused).map(([name, value]) => `[data-${name}="${CSS.escape(value)}"]`).join("");
    (document.querySelector(`#blocks ${again}`) || document.querySelector(`#controls ${again}`))?.focus({ preventScroll: true });
  }
  tell();
  document.documentElement.dataset.ready ??= performance.now().toFixed(0);
}

/* The operational page: its age counts on by itself, it looks for newer figures, and turns grey when they are old. */
function watch({ landed, minutes, day, lookEvery }) {
  const said = (n) => (n < 2 ? "1 minute" : n < 120 ? `${Math.round(n)} minutes` : n < 2880 ? `${Math.round(n / 60)} hours` : `${Math.round(n / 1440)} days`);
  tell = () => {
    const age = (Date.now() - Date.parse(landed)) / 60000, old = age > 4 * minutes;
    document.body.classList.toggle("old", old);
    document.querySelector("h1").textContent = old ? `The figures are old: nothing has landed for ${said(age)}` : PAGE.title;
    const next = old ? `A landing is due every ${said(minutes)}; see the last landing.` : age > minutes ? `The next was due ${said(age - minutes)} ago.` : `The next is due in ${said(minutes - age)}.`;
    const words = `Landed ${said(age)} ago, at ${landed.slice(11, 16)} UTC. ${next} This page looks for it by itself. Days are counted to ${day}, the last day in the data.`;
    const lede = document.getElementById("lede");
    if (lede.textContent !== words) lede.textContent = words;
  };
  tell();
  setInterval(() => tell(), 10000);
  setInterval(() => location.reload(), lookEvery * 1000);
}

document.addEventListener("click", (event) => {
  const found = event.target.closest("[data-set],[data-open],[data-step],[data-clear]");
  if (!found) return;
  event.preventDefault();
  if (found.dataset.open) {
    if (!open.delete(found.dataset.open)) open.add(found.dataset.open);
    draw();
  } else if (found.dataset.step) step(+found.dataset.step);
  else if (found.dataset.set) choose(found.dataset.set, found.dataset.to);
  else history.pushState(null, "", "#"), draw();
});
document.addEventListener("change", ({ target }) => choose(target.dataset.key, target.value));
document.addEventListener("keydown", (event) => {
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (by && PAGE.controls.some((known) => known.steps) && !event.target.closest("select, pre, .wide")) step(by);
});
let width = innerWidth;
addEventListener("resize", () => width !== innerWidth && ((width = innerWidth), draw()));
addEventListener("hashchange", draw);
addEventListener("popstate", draw);
draw();
if (PAGE.watch) watch(PAGE.watch);
