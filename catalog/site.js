"use strict";

const byId = (id) => document.getElementById(id);
const data = byId("data") ? JSON.parse(byId("data").textContent) : null;
const words = (text) => text.toLowerCase().split(/\s+/).filter(Boolean);

function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// What people say, and what it is called here.
const SYNONYMS = {
  revenue: "net sales", turnover: "net sales", income: "net sales", bookings: "booked sales", profit: "margin", earnings: "margin",
  client: "customer", clients: "customer", buyer: "customer", item: "product", items: "product", article: "product", inventory: "stock",
  debt: "outstanding", owe: "outstanding", owes: "outstanding", owed: "outstanding", dso: "days sales outstanding", unpaid: "outstanding",
  seller: "sales rep", salesperson: "sales rep", representative: "sales rep", delayed: "late", delay: "late", telephone: "phone", zip: "postal code",
};

const SMALL = new Set("a an are do does for how i in is it many me much of on our the to we what which who".split(" "));

// How many letters to change, add, drop or swap.
function distance(one, other) {
  const rows = [[...other, ""].map((_, i) => i)];
  for (let i = 1; i <= one.length; i++) {
    rows[i] = [i];
    for (let j = 1; j <= other.length; j++) {
      const same = one[i - 1] === other[j - 1];
      rows[i][j] = Math.min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + (same ? 0 : 1));
      if (i > 1 && j > 1 && one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1]) rows[i][j] = Math.min(rows[i][j], rows[i - 2][j - 2] + 1);
    }
  }
  return rows[one.length][other.length];
}

// The best of all entries for what was typed: every word must be there, or what it means; in the last part of the name counts most.
// A word that nothing has is taken for the nearest one that something has.
function search(entries, text) {
  const spaced = (name) => name.toLowerCase().replaceAll("_", " ");
  const known = entries.map(([name, kind, description, address], place) => {
    const full = `${name.toLowerCase()} ${spaced(name)}`;
    return { name, kind, description, address, place, last: spaced(name.slice(name.lastIndexOf(".") + 1)), full, everything: `${full} ${description.toLowerCase()}` };
  });
  const has = (where, word) => where.includes(word) || (SYNONYMS[word] && words(SYNONYMS[word]).every((part) => where.includes(part)));
  const vocabulary = new Set([...Object.keys(SYNONYMS), ...known.flatMap((entry) => entry.full.split(/[^a-z]+/))]);
  const typed = words(text), telling = typed.filter((word) => !SMALL.has(word));
  const wanted = (telling.length ? telling : typed).map((word) => {
    if (word.length < 4 || known.some((entry) => has(entry.everything, word))) return word;
    const [near, far] = [...vocabulary].map((other) => [other, distance(word, other)]).reduce((best, pair) => (pair[1] < best[1] ? pair : best));
    return far <= (word.length > 6 ? 2 : 1) ? near : word;
  });
  return known
    .map((entry) => ({ ...entry, score: wanted.reduce((sum, word) => sum + (has(entry.last, word) ? 0 : has(entry.full, word) ? 1 : 2), entry.address ? -0.5 : 0) }))
    .filter((entry) => wanted.every((word) => has(entry.everything, word)))
    .sort((a, b) => a.score - b.score || a.place - b.place);
}

function offer(entries, page) {
  const [field, list] = [byId("find"), byId("found")];
  const show = () => {
    list.replaceChildren();
    if (!words(field.value).length) return;
    const found = search(entries, field.value);
    for (const { name, kind, description, address } of found.slice(0, 12)) {
      const link = element("a", { href: address ?? `${page}#${name}` }, name);
      list.append(element("li", {}, link, ` ${kind}`, element("small", {}, description)));
    }
    if (!found.length) {
      const guide = element("a", { href: "index.html#which-column" }, "Which column do I sum?");
      list.append(element("li", {}, "Nothing has all of these words. Look for the question: ", guide));
    }
    else if (found.length > 12) list.append(element("li", {}, `and ${found.length - 12} more`));
  };
  field.addEventListener("input", show);
  addEventListener("keydown", (event) => {
    const stops = [field, ...list.querySelectorAll("a")], at = stops.indexOf(document.activeElement);
    if (event.key === "Enter" && at === 0 && stops[1]) stops[1].click();
    const next = stops[at + { ArrowDown: 1, ArrowUp: -1 }[event.key]];
    if (at < 0 || !next) return;
    event.preventDefault();
    next.focus();
  });
  show();
}

// Hides the table rows that do not have all the words, and sections that are left without a row.
function filterRows() {
  const rows = [...document.querySelectorAll("section tbody tr")].map((row) => {
    const section = row.closest("section");
    return { row, section, text: `${section.id} ${row.id} ${row.textContent}`.toLowerCase().replaceAll("_", " ") };
  });
  const searched = byId("filter").closest("main").querySelectorAll(".layer, section");
  const show = () => {
    const wanted = words(byId("filter").value.replaceAll("_", " "));
    const owner = byId("owner") ? byId("owner").value : "";
    const personal = byId("personal") && byId("personal").checked;
    let count = 0;
    for (const { row, section, text } of rows) {
      row.hidden =
        !wanted.every((word) => text.includes(word)) ||
        Boolean(owner && section.dataset.owner !== owner) ||
        Boolean(personal && row.dataset.personal === undefined);
      count += row.hidden ? 0 : 1;
    }
    for (const part of searched) part.hidden = !part.querySelector("tbody tr:not([hidden])");
    byId("count").textContent = `${count} of ${rows.length}`;
  };
  for (const id of ["filter", "owner", "personal"]) if (byId(id)) byId(id).addEventListener("input", show);
  show();
}

function lineage() {
  const { columns, parents } = data;
  const children = {};
  for (const [child, from] of Object.entries(parents)) for (const parent of from) (children[parent] ??= []).push(child);

  const reach = (start, next) => {
    const found = new Set();
    const waiting = [start];
    while (waiting.length) for (const other of next[waiting.pop()] ?? []) if (!found.has(other)) { found.add(other); waiting.push(other); }
    return found;
  };

  // All the way up or down; what was already shown is not opened again.
  const tree = (start, next, shown = new Set()) => {
    const list = element("ul", {});
    for (const name of next[start] ?? []) {
      const again = shown.has(name);
      shown.add(name);
      const item = element("li", {}, element("a", { href: `#${name}` }, name), " ", element("small", {}, again && next[name] ? "… as above" : columns[name]?.[0] ?? ""));
      if (!again && next[name]) item.append(tree(name, next, shown));
      list.append(item);
    }
    return list;
  };

  // Everything up- and downstream in one picture: a step further from the raw tables is a step to the right.
  const picture = (chosen, up, down) => {
    const all = [...up, chosen, ...down];
    const known = new Set(all);
    const steps = {};
    const step = (name) => (steps[name] ??= Math.max(-1, ...(parents[name] ?? []).filter((parent) => known.has(parent)).map(step)) + 1);
    all.forEach(step);
    const place = {};
    const average = (numbers) => numbers.reduce((sum, number) => sum + number, 0) / (numbers.length || 1);
    for (let column = 0; column <= Math.max(...Object.values(steps)); column++) {
      const height = (name) => average((parents[name] ?? []).map((parent) => place[parent]?.y ?? 0));
      const here = all.filter((name) => steps[name] === column).sort((a, b) => height(a) - height(b) || a.localeCompare(b));
      here.forEach((name, row) => (place[name] = { x: column * 255, y: row * 52 }));
    }
    const width = Math.max(...all.map((name) => place[name].x)) + 222;
    const height = Math.max(...all.map((name) => place[name].y)) + 46;
    const draw = (name, attributes, ...content) => {
      const made = document.createElementNS("http://www.w3.org/2000/svg", name);
      for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
      made.append(...content);
      return made;
    };
    const image = draw("svg", { viewBox: `-1 -1 ${width} ${height}`, width, height, class: "picture", role: "img", "aria-label": `Lineage of ${chosen}` });
    for (const name of all)
      for (const parent of (parents[name] ?? []).filter((other) => known.has(other))) {
        const [from, to] = [place[parent], place[name]];
        image.append(draw("path", { d: `M${from.x + 220} ${from.y + 22} C${from.x + 240} ${from.y + 22} ${to.x - 20} ${to.y + 22} ${to.x} ${to.y + 22}` }));
      }
    for (const name of all) {
      const { x, y } = place[name];
      const dot = name.lastIndexOf(".");
      image.append(
        draw("rect", { x, y, width: 220, height: 42, rx: 5, ...(name === chosen ? { class: "chosen" } : {}) }),
        draw("a", { href: `#${name}` }, draw("title", {}, name), draw("text", { x: x + 8, y: y + 33 }, name.slice(dot + 1))),
        draw("text", { x: x + 8, y: y + 16, "font-size": 11 }, name.slice(0, dot)),
      );
    }
    const around = element("div", { class: "tall", tabindex: 0 }, image);
    const { x, y } = place[chosen];
    setTimeout(() => around.scrollTo(x + 110 - around.clientWidth / 2, y + 21 - around.clientHeight / 2));
    return around;
  };

  const show = () => {
    const asked = decodeURIComponent(location.hash.slice(1)), name = asked || data.first;
    if (!columns[name]) return;
    const [layer, type, description, owner, personal, readers, profile] = columns[name];
    const [up, down] = [reach(name, parents), reach(name, children)];
    const consumers = new Set(readers);
    for (const other of down) for (const reader of columns[other]?.[5] ?? []) consumers.add(reader);
    const title = element("h2", { id: "name" }, name);
    if (personal) title.append(" ", element("mark", {}, `personal data: ${personal}`));
    const side = (heading, next, nothing) =>
      element("div", { class: "tree" }, element("h3", {}, heading), next[name] ? tree(name, next) : element("p", { class: "small" }, nothing));
    const above = element("div", { id: "up" }, side("Made of", parents, layer === "raw" ? "It comes from MySQL as it is." : "No column: a constant, a count of rows, or a list kept by hand."));
    const below = element("div", { id: "down" }, side("Goes into", children, "Nothing reads its value."));
    const facts = [layer, type, owner && `owner ${owner}`].filter(Boolean).join(" · ");
    byId("chosen").replaceChildren(
      title,
      element("p", { class: "small" }, facts, " · ", element("a", { href: `dictionary.html#${name}` }, "in the dictionary")),
      element("p", {}, description.replaceAll("`", "")),
      element("dl", { class: "profile" }, ...profile.flatMap(([head, text]) => [element("dt", {}, head), element("dd", {}, text)])),
      ...(consumers.size ? [element("p", { class: "small" }, `Reaches: ${[...consumers].sort().join(", ")}`)] : []),
      picture(name, up, down),
      element("div", { class: "sides" }, above, below),
    );
    byId("find").value = "";
    byId("found").replaceChildren();
    if (!asked) return;
    document.title = `${name} · lineage`;
    scrollTo(0, 0);
  };
  addEventListener("hashchange", show);
  offer(Object.entries(columns).map(([name, [layer, , description]]) => [name, layer, description]), "");
  show();
}

if (document.body.id === "index") offer(data, "lineage.html");
if (document.body.id === "lineage") lineage();
if (byId("filter")) filterRows();
addEventListener("keydown", (event) => {
  const field = byId("find") ?? byId("filter");
  if (event.key !== "/" || !field || event.target.closest("input, select, textarea")) return;
  event.preventDefault();
  field.focus();
  field.select();
});
