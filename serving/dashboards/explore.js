/* Explore: one measure by two attributes. The cells are summed in SQL for each pair; Vega-Lite draws them. */
const sums = (name) => (cell) => cell && cell[PAGE.sums.indexOf(name)];
const ratio = (above, below) => (cell) => (cell && sums(below)(cell) ? sums(above)(cell) / sums(below)(cell) : null);
const MEASURES = {
  "net sales": { of: sums("net_sales_amount"), as: short, type: "c", measure: "fct_order_product_lines.net_sales_amount" },
  "booked sales": { of: sums("gross_sales_amount"), as: short, type: "c", measure: "fct_order_product_lines.gross_sales_amount" },
  "margin": { of: sums("margin_amount"), as: short, type: "c", measure: "fct_order_product_lines.net_margin_amount" },
  "margin rate": { of: ratio("margin_amount", "net_sales_amount"), as: (v) => `${(v * 100).toFixed(1)}%`, type: "p", measure: "fct_order_product_lines.net_margin_amount" },
  "orders": { of: sums("order_count"), as: count, type: "n", measure: "fct_orders.order_number" },
  "average order": { of: ratio("net_sales_amount", "order_count"), as: short, type: "e", measure: "fct_orders.net_sales_amount" },
  "pieces": { of: sums("quantity_ordered"), as: count, type: "n", measure: "fct_order_product_lines.quantity_ordered" },
  "average price": { of: ratio("net_sales_amount", "quantity_ordered"), as: (v) => `$${(v / 100).toFixed(2)}`, type: "e", measure: "fct_order_product_lines.net_sales_amount" },
  "late share": { of: ratio("late_count", "shipped_count"), as: (v) => `${(v * 100).toFixed(1)}%`, type: "p", measure: "fct_orders.is_late" },
};

const TIMES = ["month", "quarter", "year"];

function figures() {
  const { measure, by, and, as } = state, { of, as: words, type, measure: column } = MEASURES[measure];
  const [a, b] = [by, and].map((name) => Object.keys(PAGE.values).indexOf(name));
  const found = new Map((PAGE.cells[`${Math.min(a, b)} ${Math.max(a, b)}`] || []).map(([i, j, ...cell]) => [a <= b ? `${i} ${j}` : `${j} ${i}`, cell]));
  const single = (at) => new Map(PAGE.cells[`${at} ${at}`].map(([i, , ...cell]) => [i, of(cell)]));
  const inOrder = (name, at, totals) => [...PAGE.values[name].keys()].sort((i, j) => (TIMES.includes(name) ? i - j : totals.get(j) - totals.get(i)));
  const [first, second] = [inOrder(by, a, single(a)), a === b ? [] : inOrder(and, b, single(b))];
  const cell = (i, j, other) => {
    const value = of(found.get(`${i} ${j}`)) ?? (as === "lines" && "cn".includes(type) ? 0 : null); // a line goes down to nothing
    return value === null ? [] : [[PAGE.values[by][i], other, value]];
  };
  const rows = first.flatMap((i) => (a === b ? cell(i, i, "all") : second.flatMap((j) => cell(i, j, PAGE.values[and][j]))));
  const best = rows.reduce((top, row) => (!top || row[2] > top[2] ? row : top), null);
  const called = measure[0].toUpperCase() + measure.slice(1), pair = a === b ? by : `${by} and ${and}`;
  return {
    title: best ? `${called} by ${pair}: most in ${[best[0], ...(a === b ? [] : [best[1]])].join(", ")}, ${words(best[2])}` : `No ${measure} by ${pair}`,
    blocks: [{ title: `${called} by ${pair}`, measure: column, cols: [by, and === by ? "" : and, measure], types: `tt${type}`, rows, words, as, size: [Math.max(second.length, 1), first.length] }],
  };
}

/* Colours come from the style sheet, so that the drawing follows the scheme; `ast` evaluates no text as code. */
DRAW.vega = (b, width) => {
  const style = getComputedStyle(document.body), colour = (name) => style.getPropertyValue(`--${name}`).trim();
  const axis = { labelColor: colour("soft"), tickColor: colour("line"), domainColor: colour("line"), gridColor: colour("line"), labelFontSize: 12, labelLimit: 140 };
  const values = b.rows.map(([first, second, value]) => ({ first, second, value: b.types[2] === "c" || b.types[2] === "e" ? value / 100 : value, label: b.words(value) }));
  const wide = b.as === "heat" ? b.size[0] * Math.max(54, Math.min(110, (width - 160) / b.size[0])) : width - 190, tall = b.as === "heat" ? b.size[1] * 26 : 380;
  const config = {
    background: "transparent", aria: false, font: style.fontFamily, view: { stroke: null }, axis, legend: { labelColor: colour("soft"), symbolLimit: 40 }, text: { color: colour("ink") },
    range: { heatmap: [colour("paper"), colour("half")], ramp: [colour("paper"), colour("half")], category: { scheme: matchMedia("(prefers-color-scheme: dark)").matches ? "set2" : "dark2" } },
  };
  const id = ++drawings;
  setTimeout(async () => {
    const place = document.querySelector(`#${b.id} .chart`);
    place.innerHTML = '<div class="wide" tabindex="0"><div role="img"></div></div>';
    place.querySelector("[role]").setAttribute("aria-label", b.title);
    await vegaEmbed(place.querySelector("[role]"), { ...PAGE.specs[b.as], data: { values }, width: wide, height: tall, config }, { ast: true, actions: false, renderer: "svg" });
    place.querySelector("svg")?.setAttribute("aria-hidden", "true"); // its name is said above, its values are in the table
    if (id === drawings) document.documentElement.dataset.drawn = location.hash || "#";
  });
  return "";
};
let drawings = 0;
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw());
