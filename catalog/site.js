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

// The best of all columns for what was typed: every word must be there; in the column's name counts most.
function search(columns, text) {
  const wanted = words(text);
  const spaced = (name) => name.toLowerCase().replaceAll("_", " ");
  return columns
    .map(([name, layer, description], place) => {
      const column = spaced(name.slice(name.lastIndexOf(".") + 1));
      const full = `${name.toLowerCase()} ${spaced(name)}`;
      const everything = `${full} ${description.toLowerCase()}`;
      const score = wanted.reduce((sum, word) => sum + (column.includes(word) ? 0 : full.includes(word) ? 1 : 2), 0);
      return { name, layer, description, score, place, found: wanted.every((word) => everything.includes(word)) };
    })
    .filter((entry) => entry.found)
    .sort((a, b) => a.score - b.score || a.place - b.place);
}

function offerColumns(columns, address) {
  const list = byId("found");
  const show = () => {
    list.replaceChildren();
    if (!words(byId("find").value).length) return;
    const entries = search(columns, byId("find").value);
    for (const { name, layer, description } of entries.slice(0, 12)) {
      const link = element("a", { href: `${address}#${name}` }, name);
      list.append(element("li", {}, link, ` ${layer}`, element("small", {}, description)));
    }
    if (!entries.length) {
      const guide = element("a", { href: "index.html#which-column" }, "Which column do I sum?");
      list.append(element("li", {}, "No column has all of these words. Look for the question: ", guide));
    }
    else if (entries.length > 12) list.append(element("li", {}, `and ${entries.length - 12} more`));
  };
  byId("find").addEventListener("input", show);
  byId("find").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && list.querySelector("a")) list.querySelector("a").click();
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
    const name = decodeURIComponent(location.hash.slice(1));
    if (!columns[name]) return;
    const [layer, type, description, owner, personal, readers] = columns[name];
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
      ...(consumers.size ? [element("p", { class: "small" }, `Reaches: ${[...consumers].sort().join(", ")}`)] : []),
      picture(name, up, down),
      element("div", { class: "sides" }, above, below),
    );
    byId("find").value = "";
    byId("found").replaceChildren();
    document.title = `${name} · lineage`;
    scrollTo(0, 0);
  };
  addEventListener("hashchange", show);
  offerColumns(Object.entries(columns).map(([name, [layer, , description]]) => [name, layer, description]), "");
  show();
}

if (document.body.id === "index") offerColumns(data, "lineage.html");
if (document.body.id === "lineage") lineage();
if (byId("filter")) filterRows();
