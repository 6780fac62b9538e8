"use strict";
/* Draws a page of blocks: one function a form. A block's rows are plain values, money in cents; `types` has one letter a
   column: t text, c cents, e cents that do not add up, n number, p share of one, s a list of months. `show` names what a table's cells are made of. */
const PAGE = JSON.parse(document.getElementById("page").textContent);
const phone = () => innerWidth <= 900;
const esc = (text) => String(text ?? "").replace(/[&<>"']/g, (mark) => `&#${mark.charCodeAt(0)};`);
const whole = (n) => Math.round(Math.abs(n));
const mark = (n, plus) => (n < 0 ? "−" : plus && n > 0 ? "+" : "");
const count = (n) => mark(n) + whole(n).toLocaleString("en-US");
const usd = (cents, plus) => `${mark(cents, plus)}$${whole(cents / 100).toLocaleString("en-US")}`;
const unit = (cents) => (cents >= 999500e2 ? [1e8, "M"] : cents >= 99950 ? [1e5, "k"] : [100, ""]);
const short = (cents, plus) => {
  const [size, letter] = unit(Math.abs(cents)), value = Math.abs(cents) / size;
  return `${mark(cents, plus)}$${letter ? value.toPrecision(3) : Math.round(value)}${letter}`;
};
const inUnit = (cents, [size, letter], plus) => {
  const value = whole(cents / size);
  return `${mark(value && cents, plus)}$${value.toLocaleString("en-US")}${value ? letter : ""}`;
};
const percent = (ratio) => `${mark(ratio)}${Math.round(Math.abs(ratio) * 100)}%`;
const change = (now, before) => {
  if (!(before > 0)) return now > 0 ? "none before" : "";
  const ratio = now / before;
  if (ratio >= 3) return `×${ratio < 10 ? ratio.toFixed(1) : Math.round(ratio)}`;
  const points = Math.round((ratio - 1) * 100);
  return points ? mark(points, true) + Math.abs(points) + "%" : "no change";
};
const tone = (now, before) => (!(before > 0) || change(now, before) === "no change" ? "" : now > before ? "more" : "less");
const MONTHS = "January February March April May June July August September October November December".split(" ");
const month = (key, long) => `${MONTHS[key.slice(5) - 1].slice(0, long ? 9 : 3)} ${key.slice(0, 4)}`;

/* Cells of a table: what a row shows in one column. `most` is the largest value that the column's bars have to show. */
const bar = (from, to, kind, extra = "") =>
  `<i class="bar ${kind}" style="left:${(from * 100).toFixed(2)}%;width:${Math.max((to - from) * 100, 0.6).toFixed(2)}%"></i>${extra}`;
const tick = (at) => `<i class="tick" style="left:${(at * 100).toFixed(2)}%"></i>`;
const CELLS = {
  name: (row, c, b) => {
    const text = esc(row[c.i]) + (c.sub === undefined ? "" : `<small>${esc(row[c.sub])}</small>`);
    return b.press && !row.rest ? `<button data-set="${b.press}" data-to="${esc(row[c.i])}" aria-pressed="${row[c.i] === state[b.press]}">${text}</button>` : text;
  },
  text: (row, c) => esc(row[c.i]),
  count: (row, c) => (row[c.i] ? count(row[c.i]) : "–"),
  decimal: (row, c) => (row[c.i] === null ? "" : row[c.i] < 10 ? row[c.i].toFixed(1) : count(row[c.i])),
  decimals: (row, c) => (typeof row[c.i] !== "number" ? "" : mark(row[c.i]) + Math.abs(row[c.i]).toFixed(1)),
  due: (row, c) => esc(row[c.i]),
  percent: (row, c) => (row[c.i] === null ? "" : percent(row[c.i])),
  rate: (row, c) => (row[c.i] === null ? "" : `${(row[c.i] * 100).toFixed(1)}%`),
  usd: (row, c) => usd(row[c.i]),
  price: (row, c) => `$${(row[c.i] / 100).toFixed(2)}`,
  unit: (row, c) => (row[c.i] === null || row[c.i] === "" ? "" : row[c.i] ? inUnit(row[c.i], c.unit, c.plus) : "–"),
  thousands: (row, c) => (row[c.i] ? count(row[c.i] / 1e5) : "–"),
  signed: (row, c) => usd(row[c.i], !row.total),
  share: (row, c) => (row[c.i] ? percent(row[c.i] / c.sum) : ""),
  change: (row, c) => change(row[c.i], row[c.j]),
  bar: (row, c, b) => {
    const value = Math.min(Math.max(row[c.i] || 0, 0) / c.most, 1), before = c.j === undefined ? 0 : row[c.j] / c.most;
    const faint = row.rest || (b.press && state[b.press] && row[0] !== state[b.press]) ? "faint" : "";
    return (value ? bar(0, value, c.hot !== undefined && row[c.hot] ? "less" : faint) : "") + (before > 0 && before <= 1 ? tick(before) : "");
  },
  zero: (row, c) => {
    const zero = -c.least / (c.most - c.least), at = zero + Math.min(Math.max(row[c.i], c.least), c.most) / (c.most - c.least);
    return bar(Math.min(zero, at), Math.max(zero, at), row.rest ? "faint" : row[c.i] < 0 ? "less" : "", tick(zero));
  },
  bridge: (row, c) => {
    const [from, to] = row.span.map((value) => Math.max(value, 0) / c.most);
    return bar(Math.min(from, to), Math.max(from, to), row.total ? "total" : row[c.i] < 0 ? "less" : "", row.total ? "" : tick(from));
  },
  strip: (row, c) => {
    const [low, lower, middle, upper, high] = c.of.map((i) => row[i] / c.most);
    return `<i class="thin" style="left:${low * 100}%;width:${(high - low) * 100}%"></i>${bar(lower, upper, "faint", tick(middle))}`;
  },
  spark: (row, c) => (row[c.i] ? spark(row[c.i], c, row[c.marks] || []) : ""),
  tint: (row, c) => (row[c.i] === null ? "" : CELLS[c.as || "percent"](row, c)),
};
const LEFT = ["name", "text", "bar", "zero", "bridge", "strip", "spark"];

/* Ranked list, bridge, contributions, heat table, owed and limit, ageing, days overdue: a table with a mark in a cell. */
function table(b) {
  let rows = b.rows.map((row) => Object.assign([...row], { rest: / others$/.test(row[0]), total: row[0] === "All" }));
  if (b.top && !open.has(`${b.id}:all`) && rows.length > b.top + 1) {
    const others = rows.slice(b.top);
    const rest = b.types.split("").map((type, i) => ("cn".includes(type) ? others.reduce((sum, row) => sum + row[i], 0) : ""));
    rest[0] = `${others.length} others`;
    rows = [...rows.slice(0, b.top), Object.assign(rest, { rest: true })];
  }
  if (b.form === "bridge") {
    let sum = 0;
    rows = rows.map((row, i) => {
      const total = i === 0 || i === rows.length - 1, from = total ? 0 : sum;
      sum = total ? row[1] : sum + row[1];
      return Object.assign([...row], { total, span: [from, sum] });
    });
  }
  const numbers = (from, columns) => from.flatMap((row) => columns.map((i) => row[i]).flat()).filter((value) => typeof value === "number");
  const far = (c) => Math.max(...numbers(rows.filter((row) => row.rest), [c.i]).map(Math.abs), 0) > 3 * Math.max(...numbers(rows.filter((row) => !row.rest), [c.i]).map(Math.abs), 0);
  const show = b.show.map((c) => {
    const values = (columns) => numbers(far(c) ? rows.filter((row) => !row.rest) : rows, columns);
    const own = values(c.of || [c.i]), capped = c.cap === undefined ? values(c.j === undefined ? [] : [c.j]) : [];
    const most = c.max || Math.max(1e-9, ...own, ...capped, ...rows.flatMap((row) => row.span || []));
    const widest = c.unitOf || Math.max(...own.map(Math.abs), 0);
    return { ...c, most, largest: Math.max(...rows.filter((row) => !row.total).map((row) => Math.abs(row[c.i]))), least: Math.min(0, ...own), unit: widest >= 1e9 ? [1e8, "M"] : unit(widest / 10), sum: own.reduce((a, v) => a + v, 0) || 1 };
  });
  const heads = show.map((c) => `<th scope="col" class="${LEFT.includes(c.at) ? c.at : "num"} ${c.at} ${c.away ? "away" : ""}">${c.head ? esc(c.head) : `<span class="unseen">${c.at}</span>`}</th>`);
  const body = rows.map((row) => {
    const cells = show.map((c, i) => {
      const content = CELLS[c.at](row, c, b), value = typeof row[c.i] === "number" ? ` data-value="${row[c.i]}"` : "";
      const colour = c.at === "change" ? tone(row[c.i], row[c.j]) : c.at === "signed" && !row.total ? (row[c.i] < 0 ? "less" : row[c.i] > 0 ? "more" : "") + (Math.abs(row[c.i]) * 10 < c.largest ? " slight" : "") : c.hot !== undefined && row[c.hot] && c.at !== "bar" ? "less" : "";
      const shade = c.at === "tint" && row[c.i] > 0 && !row.total ? ` style="--shade:${((row[c.i] / c.most) * 50).toFixed(0)}%"` : "";
      const held = LEFT.includes(c.at) && c.at !== "name" && c.at !== "text" ? `<div>${content}</div>` : content;
      return i ? `<td class="${LEFT.includes(c.at) ? c.at : "num"} ${c.at} ${colour} ${c.away ? "away" : ""}"${value}${shade}>${held}</td>` : `<th scope="row" class="name">${held}</th>`;
    });
    const kind = row.total ? "total" : row.rest ? "rest" : b.press && row[0] === state[b.press] ? "chosen" : "";
    return `<tr class="${kind}" data-key="${esc(row[0])}">${cells.join("")}</tr>`;
  });
  if (!rows.length) return `<p class="empty">${esc(b.empty || "Nothing here.")} ${b.press ? '<button data-clear="">Remove the filters</button>' : ""}</p>`;
  return `<div class="wide"${b.form === "heat" ? ' tabindex="0"' : ""}><table class="${b.form}"><thead><tr>${heads.join("")}</tr></thead><tbody>${body.join("")}</tbody></table></div>`;
}

const svg = (w, h, body, label) =>
  `<svg width="${w}" height="${h}" viewBox="0 0 ${w} ${h}" ${label ? `role="img" aria-label="${esc(label)}"` : 'role="group"'}>${body}</svg>`;
const text = (x, y, words, kind = "", anchor = "start") => `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" class="${kind}" text-anchor="${anchor}">${esc(words)}</text>`;
const path = (points, kind) => `<path class="${kind}" d="${points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("")}"/>`;
const dot = (x, y, kind) => `<circle class="${kind}" cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="3"/>`;

/* Months small: grey, the chosen period in the accent, a point at its end, a stroke at each mark. */
function spark(values, { since = 0, max, rate }, marks = []) {
  const top = max || Math.max(...values), low = Math.min(rate ? Math.min(...values) : 0, ...values), w = phone() ? 84 : 148, h = 24;
  const points = values.map((value, i) => [2 + (i * (w - 6)) / Math.max(values.length - 1, 1), h - 3 - ((value - low) * (h - 7)) / (top - low || 1)]);
  const [x, y] = points[points.length - 1];
  const strokes = marks.map((i) => path([[points[i][0], 1], [points[i][0], h - 1]], "handover"));
  return svg(w, h, path(points, "old") + path(points.slice(since), "now") + strokes.join("") + dot(x, y, "now"), `${values.length} months, small`);
}

/* Lines over months, each named at its end. Straight, from zero; at most five grid lines, of round numbers. */
function lines(b, w) {
  const left = phone() ? 42 : 48, right = b.series.length > 1 ? 44 : 10, h = b.height || 290, low = h - 26, all = b.series.flatMap((s) => s.values);
  const most = Math.max(...all, 1), power = 10 ** Math.floor(Math.log10(most)), step = [1, 1.5, 2, 3, 4, 5, 6, 8, 10].find((s) => s * power >= most);
  const top = step * power, parts = { 1.5: 3, 3: 3, 6: 3, 5: 5 }[step] || 4, least = Math.min(0, ...all), gap = (w - left - right) / b.labels.length;
  const x = (i) => left + gap * (i + 0.5), y = (value) => low - ((value - least) * (low - 12)) / (top - least);
  const grid = Array.from({ length: parts + 1 }, (_, i) => {
    const value = (top * i) / parts, [size, letter] = b.plain ? [1, ""] : unit(value);
    return path([[left, y(value)], [w - right, y(value)]], i ? "grid" : "base") + (i || least ? text(0, y(value) + 4, `${b.plain ? "" : "$"}${Number((value / size).toPrecision(3))}${letter}`) : "");
  });
  const labels = b.labels.map((label, i) => (label ? text(x(i), h - 6, b.series.length > 1 && phone() ? label[0] : label, "", "middle") : ""));
  let last = -99;
  const drawn = b.series.map((s) => {
    const points = s.values.map((value, i) => [x(i), y(value)]), [endX, endY] = points[points.length - 1];
    return { s, points, endX, endY, svg: path(points, s.kind) + (s.kind === "now" ? (b.series.length > 1 ? points : points.slice(-1)).map(([px, py]) => dot(px, py, "now")).join("") : "") };
  });
  const names = [...drawn].sort((a, c) => a.endY - c.endY).map(({ s, endX, endY }) => {
    const at = s.values.length === b.labels.length ? (last = Math.max(endY + 4, last + 15)) : endY + 4;
    return s.name ? text(endX + 9, Math.min(at, low - 5), s.name, s.kind === "now" ? "now strong" : "") : "";
  });
  const links = b.links ? b.links.map((link, i) => `<a href="${esc(link.href)}" aria-label="${esc(link.label)}"><title>${esc(link.label)}</title><rect class="hit" x="${x(i) - gap / 2}" y="8" width="${gap}" height="${low}"/></a>`) : [];
  return svg(w, h, grid.join("") + labels.join("") + drawn.map((line) => line.svg).join("") + names.join("") + links.join(""), b.links ? "" : b.title);
}

/* A column a month; the chosen in the accent, the one compared with in ink; a line where nothing has been for a while. */
function columns(b, w) {
  const h = b.height || 290, low = h - 22, most = Math.max(...b.rows.map((row) => row[1]), 1), gap = w / b.rows.length, head = 26;
  const body = b.rows.map(([key, value], i) => {
    const kind = key === b.chosen ? "now" : key === b.compared ? "then" : "old", tall = (Math.max(value, 0) * (low - head)) / most, name = `${month(key, true)}: ${b.money ? short(value) : count(value)}`;
    const rect = `<rect class="${kind}" x="${(i * gap + 0.75).toFixed(1)}" y="${(low - tall).toFixed(1)}" width="${Math.max(gap - 2, 1).toFixed(1)}" height="${tall.toFixed(1)}" data-value="${value}"><title>${name}</title></rect>`;
    const label = b.named && (b.named[key] || (kind === "old" || (kind === "then" && phone()) ? "" : short(value))) || "";
    const said = label ? text(Math.min(Math.max((i + 0.5) * gap, label.length * 3.6), w - label.length * 3.6), low - tall - 7, label, `strong ${kind}`, "middle") : "";
    const year = key.endsWith("-01") || !i ? path([[i * gap, low], [i * gap, low + 5]], "base") + text(i * gap + 3, h - 6, key.slice(0, 4)) : "";
    return (b.press ? `<a href="#${b.press}=${key}" data-set="${b.press}" data-to="${key}" aria-label="${name}"><rect class="hit" x="${(i * gap).toFixed(1)}" y="${head}" width="${gap.toFixed(1)}" height="${low - head}"/>${rect}</a>` : rect) + said + year;
  });
  const quiet = b.quiet ? path([[(b.rows.length - b.quiet) * gap + 2, low - 5], [w, low - 5]], "quiet") + text(w, low - 62, `none for ${b.quiet} months`, "strong less", "end") : "";
  return svg(w, h, body.join("") + path([[0, low], [w, low]], "base") + quiet, b.press ? "" : b.title);
}

/* Each country a square where it roughly lies. Filled: more than before; outlined: less; faint: nothing in either. */
function tiles(b, w) {
  const size = Math.min(w / 11, 36), drawn = b.rows.filter((row) => b.places[row[0]]).map(([name, now, before]) => {
    const [x, y, code] = b.places[name], kind = !now && !before ? "none" : now > before ? "filled" : "outlined", off = state[b.press] && state[b.press] !== name ? "off" : "";
    return `<a href="#${b.press}=${encodeURIComponent(name)}" data-set="${b.press}" data-to="${esc(name)}" class="${kind} ${off}" aria-label="${esc(`${name}: ${short(now)}, ${change(now, before) || "nothing in either"}`)}">` +
      `<title>${esc(name)}</title><rect x="${x * size + 1.5}" y="${y * size + 1.5}" width="${size - 3}" height="${size - 3}" rx="2"/>${text((x + 0.5) * size, (y + 0.5) * size + 4.5, code, "", "middle")}</a>`;
  });
  return svg(w, size * 6 + 4, drawn.join(""));
}

/* Figures of the period, each with its change and all months small. */
function kpis(b) {
  return b.items.map((item) => `<section><h2>${esc(item.name)}</h2><p class="figure ${item.alarm ? "less" : ""}" data-value="${item.value}" data-before="${item.before ?? ""}">${esc(item.figure)}` +
    `${item.unit ? ` <small>${esc(item.unit)}</small>` : ""}</p><p class="change"><b class="${item.tone || ""}">${esc(item.change)}</b> ${esc(item.from)}</p>${item.spark ? spark(item.spark, item) : ""}</section>`).join("");
}

const DRAW = { table, bridge: table, heat: table, lines, columns, tiles, kpis };
const exact = (value, type) => ("ce".includes(type) && value !== null ? (value / 100).toFixed(2) : type === "s" && value ? value.map((cents) => (cents / 100).toFixed(2)).join(" ") : value ?? "");
function csv(b) {
  const quoted = [b.cols, ...b.rows.map((row) => row.slice(0, b.cols.length).map((value, i) => exact(value, b.types[i])))].map((row) => row.map((value) => (/[",\n]/.test(value) ? `"${String(value).replace(/"/g, '""')}"` : value)).join(","));
  return `data:text/csv;charset=utf-8,${encodeURIComponent(quoted.join("\r\n") + "\r\n")}`;
}
function more(b, what) {
  if (what === "sql") return `<pre tabindex="0">${esc(PAGE.sql[b.sql])}</pre>`;
  if (what === "how") return `<p class="how">${esc(b.how)}</p>`;
  const cells = (row, tag) => row.slice(0, b.cols.length).map((value, i) => `<${tag}${tag === "th" ? ' scope="col"' : ""} class="${b.types[i] === "t" ? "" : "num"}">${esc(tag === "th" ? value : exact(value, b.types[i]))}</${tag}>`).join("");
  return `<div class="wide plain" tabindex="0"><table><thead><tr>${cells(b.cols, "th")}</tr></thead><tbody>${b.rows.map((row) => `<tr>${cells(row, "td")}</tr>`).join("")}</tbody></table></div>`;
}
function frame(b) {
  if (b.form === "kpis") return '<div class="kpis"></div>';
  const button = (what, name) => `<button data-open="${b.id}:${what}" aria-expanded="${open.has(`${b.id}:${what}`)}">${name}</button>`;
  const all = b.top && b.rows.length > b.top + 1 ? button("all", open.has(`${b.id}:all`) ? `First ${b.top}` : `All ${b.rows.length}`) : "";
  const links = `${all}${button("table", "Table")}<a href="${csv(b)}" download="${b.id}.csv">CSV</a>${button("sql", "SQL")}${b.how ? button("how", "how it is computed") : ""}${b.measure ? `<a href="../dictionary.html#${b.measure}">${b.measure.split(".").pop()}</a>` : ""}`;
  return `<figure id="${b.id}" class="s${b.span} ${b.form} ${b.tall ? "tall" : ""}"><figcaption><h2${b.quietTitle ? ' class="unseen"' : ""}>${esc(b.title)}</h2><p>${b.key ? '<b class="more">Filled: more</b>, new ones too. <b class="less">Outlined: less.</b> Faint: nothing in either year.' : esc(b.subtitle)}</p></figcaption>` +
    `<div class="chart"></div>${b.cols ? `<p class="links">${links}</p>${["table", "sql", "how"].filter((what) => open.has(`${b.id}:${what}`)).map((what) => more(b, what)).join("")}` : ""}</figure>`;
}
