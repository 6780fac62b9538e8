/* The Overview's figures and words under its filters, from the cube: cells of month, product line and country, with roll-ups. */
const { months, lines: LINES, countries: COUNTRIES } = PAGE.cube;
const cells = new Map(PAGE.cube.cells.split(";").map((cell) => {
  const [key, ...values] = cell.split(" ").map((digits) => parseInt(digits, 36));
  return [key, values];
}));
const NOTHING = [0, 0, 0, 0, 0];
const at = (m, line, country) => cells.get((m * (LINES.length + 1) + LINES.indexOf(line) + 1) * (COUNTRIES.length + 1) + COUNTRIES.indexOf(country) + 1) || NOTHING;
const sum = (list, line, country) => list.reduce((total, m) => at(m, line, country).map((value, i) => value + total[i]), NOTHING);
const upTo = (rows, i) => rows.reduce((total, row) => total + row[i], 0);
const joined = (names) => names.join(" and ");

function figures() {
  const { year, line, country } = state, part = [line, country].filter(Boolean).join(" in ");
  const ofYear = (y) => months.map((key, m) => [key, m]).filter(([key]) => key.startsWith(y));
  const now = ofYear(year).map(([, m]) => m), keys = ofYear(year).map(([key]) => key.slice(5)), last = +year - 1;
  const before = ofYear(`${last}`).filter(([key]) => keys.includes(key.slice(5))).map(([, m]) => m);
  const said = (y) => (now.length === 12 ? y : `${MONTHS[keys[0] - 1]}${keys.length > 1 ? ` to ${MONTHS[keys[keys.length - 1] - 1]}` : ""} ${y}`);
  const [sales, orders, margin, shipped, late] = sum(now, line, country), [sales0, orders0, margin0, shipped0, late0] = sum(before, line, country);
  const compared = !(sales0 > 0) ? "" : Math.abs(sales - sales0) < 0.03 * sales0 ? ", about as much as the year before" : sales > 3 * sales0 ? `, ${change(sales, sales0)} the year before` : `, ${change(sales, sales0).slice(1)} ${sales > sales0 ? "above" : "below"} the year before`;
  const title = !sales ? `${part || "Nothing"}${part ? " sold nothing" : " was sold"} in ${said(year)}` : `${part ? `${part} sold` : "Net sales reached"} ${short(sales)} in ${said(year)}${compared}`;
  const every = months.map((_, m) => at(m, line, country)), since = now[0];
  const points = margin0 && sales0 ? Math.round((margin / sales - margin0 / sales0) * 1000) / 10 : 0;
  const kpi = (name, figure, value, value0, said0, unit, values, better = 1) => ({
    name, figure, unit, value, before: value0, since, spark: values, change: change(value, value0) || "none before", from: value0 > 0 ? `from ${said0}` : "", tone: better ? tone(value, value0) : "",
  });
  const average = orders ? Math.round(sales / orders) : 0, average0 = orders0 ? Math.round(sales0 / orders0) : 0;
  const items = [
    kpi("Net sales", short(sales), sales, sales0, short(sales0), "", every.map((cell) => cell[0])),
    kpi("Orders", count(orders), orders, orders0, count(orders0), "", every.map((cell) => cell[1])),
    kpi(line ? "Line's value per order" : "Average order", short(average), average, average0, short(average0), "", every.map((cell) => (cell[1] ? cell[0] / cell[1] : 0))),
    { ...kpi("Margin", sales ? `${((margin / sales) * 100).toFixed(1)}%` : "–", margin, margin0, "", "", every.map((cell) => (cell[0] ? cell[2] / cell[0] : 0))), rate: true,
      change: !sales0 ? "none before" : points ? `${mark(points, true)}${Math.abs(points).toFixed(1)} points` : "no change", from: sales0 ? `from ${((margin0 / sales0) * 100).toFixed(1)}%` : "", tone: points > 0 ? "more" : points < 0 ? "less" : "" },
    { ...kpi("Shipped late", count(late), late, late0, "", `of ${count(shipped)}`, every.map((cell) => cell[4])), change: shipped0 ? "" : "none before", from: shipped0 ? `from ${count(late0)} of ${count(shipped0)}` : "" },
  ];

  const years = [...new Set(months.map((key) => key.slice(0, 4)))], whole = years.filter((y) => ofYear(y).length === 12 && upTo(ofYear(y).map(([, m]) => every[m]), 0) > 0);
  const peak = (y) => ofYear(y).reduce((best, [key, m]) => (every[m][0] > best[1] ? [key.slice(5), every[m][0]] : best), ["", 0]);
  const rose = now.filter((m) => at(m - 12, line, country)[0] > 0 && every[m][0] > at(m - 12, line, country)[0]).length, based = now.filter((m) => at(m - 12, line, country)[0] > 0).length;
  const best = every.reduce((top, cell, m) => (cell[0] > every[top][0] ? m : top), 0);
  const yearsTitle = whole.length > 1 && whole.every((y) => peak(y)[0] === peak(whole[0])[0])
    ? `${MONTHS[peak(whole[0])[0] - 1]} brings ${joined(whole.slice(-2).map((y) => percent(peak(y)[1] / upTo(ofYear(y).map(([, m]) => every[m]), 0))))} of a year`
    : based > 2 ? `${rose} of ${based} months above the year before` : `Highest: ${short(every[best][0])} in ${month(months[best], true)}`;
  const series = years.slice(-4).map((y) => ({ name: y, kind: y === year ? "now" : +y === Math.max(...years.filter((other) => other !== year)) ? "then" : "old", values: Array.from({ length: ofYear(y).length + (+ofYear(y)[0][0].slice(5) - 1) }, (_, i) => (ofYear(y).find(([key]) => +key.slice(5) === i + 1) ? every[ofYear(y).find(([key]) => +key.slice(5) === i + 1)[1]][0] : 0)) }));
  series.sort((a) => (a.kind === "now" ? 1 : -1));
  const links = MONTHS.map((name, i) => months.filter((key) => +key.slice(5) === i + 1).pop()).map((key) => ({ href: key ? `why.html#month=${key}` : "why.html", label: key ? `Why ${month(key, true)}?` : "Why?" }));

  const fresh = months.map((key, m) => [key, country ? (PAGE.newCustomers[COUNTRIES.indexOf(country)] || [])[m] || 0 : PAGE.newCustomers.reduce((total, values) => total + (values[m] || 0), 0)]);
  const lastNew = fresh.reduce((found, [, value], m) => (value ? m : found), -1), quiet = months.length - 1 - lastNew, most = Math.max(...fresh.map(([, value]) => value)), mostKey = (fresh.find(([, value]) => value === most) || [""])[0];
  const where = country ? ` in ${country}` : "", freshTitle = lastNew < 0 ? `No customer${where} yet` : quiet > 2 ? `No new customer${where} since ${month(months[lastNew], true)}` : `Most new customers${where}: ${most} in ${month(mostKey, true)}`;

  const ranked = (names, of) => names.map((name) => [name, of(now, name)[0], of(before, name)[0]]).sort((a, b) => b[1] - a[1] || b[2] - a[2] || (a[0] < b[0] ? -1 : 1));
  const byLine = ranked(LINES, (list, name) => sum(list, name, country)), byCountry = ranked(COUNTRIES, (list, name) => sum(list, line, name));
  const grew = byLine.filter((row) => row[2] > 0 && row[1] > row[2]).sort((a, b) => b[1] - b[2] - (a[1] - a[2]))[0];
  const share = (rows, n) => percent(upTo(rows.slice(0, n), 1) / (upTo(rows, 1) || 1));
  const linesTitle = !byLine[0][1] ? "No sales here" : `${byLine[0][0]} bring ${share(byLine, 1)} of sales${grew ? `; ${grew[0] === byLine[0][0] ? "they also" : grew[0]} grew most` : ""}`;
  const topCountries = byCountry.filter((row) => row[1] > 0).slice(0, 2);
  const countriesTitle = !topCountries.length ? "No sales here" : topCountries.length > 1 ? `${joined(topCountries.map((row) => row[0]))} bring ${share(byCountry, 2)} of sales` : `All sales are from ${topCountries[0][0]}`;
  const more = byCountry.filter((row) => row[1] > row[2]).length, less = byCountry.filter((row) => row[1] < row[2]).length;
  return {
    title,
    lede: `US dollars, orders that were not cancelled, by order date, to ${PAGE.lastDay}. Every change compares ${said(year)} with ${said(last)}.`,
    blocks: [
      { items },
      { title: yearsTitle, series, links, rows: months.map((key, m) => [key, ...every[m]]) },
      { title: freshTitle, subtitle: `Customers by month of their first order that was kept${line ? ", whatever line it was of" : ""}.`, rows: fresh, named: { [mostKey]: most ? `${most} in ${month(mostKey)}` : "" }, quiet: lastNew >= 0 && quiet > 2 ? quiet : 0 },
      { title: linesTitle, subtitle: `Net sales by product line${where}. Tick: a year before. Click a line to filter.`, rows: byLine },
      { title: countriesTitle, subtitle: `Net sales by country of the customer${line ? `, ${line}` : ""}. Tick: a year before. Click a country to filter.`, rows: byCountry },
      { title: `${more} ${more === 1 ? "country" : "countries"} bought more than a year before, ${less} less`, rows: byCountry },
    ],
  };
}
