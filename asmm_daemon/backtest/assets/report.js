"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const colour = name => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  const numbers = column => {
    const bytes = Uint8Array.from(atob(column.f32), c => c.charCodeAt(0));
    return Array.from(new Float32Array(bytes.buffer), v => (Number.isNaN(v) ? null : v + column.offset));
  };
  const times = column => Array.from(new Float64Array(Uint8Array.from(atob(column.f64), c => c.charCodeAt(0)).buffer));
  const written = digits => (u, v) =>
    v == null ? "–" : v.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const clock = uPlot.fmtDate("{YYYY}-{MM}-{DD} {HH}:{mm}:{ss}");
  const utc = t => uPlot.tzDate(new Date(t * 1e3), "Etc/UTC");
  const YEAR = 31536000, DAY = 86400;
  const ticks = [
    [YEAR, "{YYYY}", null, null, null, null, null, null, 1],
    [DAY * 28, "{MMM}", "\n{YYYY}", null, null, null, null, null, 1],
    [DAY, "{D} {MMM}", "\n{YYYY}", null, null, null, null, null, 1],
    [60, "{HH}:{mm}", "\n{D} {MMM} {YYYY}", null, "\n{D} {MMM}", null, null, null, 1],
    [1, "{HH}:{mm}:{ss}", "\n{D} {MMM} {YYYY}", null, "\n{D} {MMM}", null, null, null, 1],
    [0.001, ":{ss}.{fff}", "\n{D} {MMM} {HH}:{mm}", null, "\n{D} {MMM} {HH}:{mm}", null, null, null, 1],
  ];
  const plots = [];

  function axis(more) {
    return Object.assign({
      stroke: () => colour("dim"),
      grid: { stroke: () => colour("grid"), width: 1 },
      ticks: { stroke: () => colour("grid"), width: 1, size: 4 },
      font: "12px system-ui, sans-serif",
    }, more);
  }

  function box(parent, title, note) {
    const card = document.createElement("div"), head = document.createElement("h3");
    card.className = "plot";
    card.setAttribute("role", "img");
    card.setAttribute("aria-label", title);
    head.textContent = title + " ";
    if (note) {
      const small = document.createElement("small");
      small.textContent = note;
      head.append(small);
    }
    card.append(head);
    parent.append(card);
    return card;
  }

  function line(label, tint, digits, more) {
    return Object.assign(
      { label, stroke: () => colour(tint), width: 1.25, points: { show: false }, value: written(digits) }, more);
  }

  function draw(card, options, columns, height) {
    const plot = new uPlot(
      Object.assign({ width: card.clientWidth - 24, height, padding: [8, 30, 0, 0], tzDate: utc }, options),
      columns, card);
    plots.push([plot, card, height]);
    return plot;
  }

  function overTime(title, note, lines, columns, height, more = {}) {
    const card = box(document.getElementById("plots"), title, note);
    return draw(card, Object.assign({
      cursor: { sync: { key: "time", setSeries: false, scales: ["x", null] }, drag: { x: true, y: false }, y: false },
      axes: [axis({ values: ticks, space: 70 }), axis({ size: 72, space: 26 })],
      series: [{ value: (u, t) => (t == null ? "–" : clock(utc(t))) }, ...lines],
    }, more), columns, height);
  }

  const MANY_MARKS = 500;

  /* Triangles at the exact time of each fill: up for what was bought, down for what was sold.
     Where many are seen they are small, and one of several that would cover each other is drawn. */
  function marks(fills, values, firstSeries) {
    return u => {
      const { ctx, bbox } = u, { min, max } = u.scales.x;
      const many = fills.t.filter(x => x >= min && x <= max).length > MANY_MARKS;
      const r = (many ? 2 : 4) * devicePixelRatio;
      ctx.save();
      ctx.beginPath();
      ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
      ctx.clip();
      ctx.strokeStyle = colour("card");
      ctx.lineWidth = devicePixelRatio;
      for (const side of [1, -1]) {
        if (!u.series[firstSeries + (side > 0 ? 0 : 1)].show) continue;
        ctx.fillStyle = colour(side > 0 ? "green" : "red");
        const covered = new Set();
        for (let i = 0; i < values.length; i++) {
          if (fills.side[i] !== side || fills.t[i] < min || fills.t[i] > max || values[i] == null) continue;
          const x = u.valToPos(fills.t[i], "x", true), y = u.valToPos(values[i], "y", true);
          const cell = Math.round(x / r) * 1e5 + Math.round(y / r);
          if (many && covered.has(cell)) continue;
          covered.add(cell);
          ctx.beginPath();
          ctx.moveTo(x, y - side * r);
          ctx.lineTo(x - r, y + side * r);
          ctx.lineTo(x + r, y + side * r);
          ctx.closePath();
          ctx.fill();
          if (!many) ctx.stroke();
        }
      }
      ctx.restore();
    };
  }

  if (data.empty) return;
  const t = times(data.time), nothing = t.map(() => null), s = {};
  for (const name in data.series) s[name] = numbers(data.series[name]);
  const fills = { t: times(data.fills.t), side: data.fills.side, price: numbers(data.fills.price), bps: numbers(data.fills.bps) };
  const count = side => fills.side.filter(x => x === side).length;
  const fillLines = [
    line("Bought", "green", 0, { value: () => count(1), fill: () => colour("green") }),
    line("Sold", "red", 0, { value: () => count(-1), fill: () => colour("red") }),
  ];
  const stepped = uPlot.paths.stepped({ align: -1 });
  const { quote, base } = data.units;
  const soft = { y: { range: { min: { pad: 0.08, soft: 0, mode: 1 }, max: { pad: 0.08, soft: 0, mode: 1 } } } };
  const scales = y => ({ scales: Object.assign(
    { x: { time: true, range: (u, lo, hi) => (lo == null || lo === hi ? data.span : [lo, hi]) } }, y) });

  overTime("Equity", quote, [
    line("Net", "blue", 2, { width: 1.6 }),
    line("Before fees", "grey", 2),
  ], [t, s.net, s.gross], 260, scales(soft));
  overTime("Drawdown", quote + " below the peak of net equity", [
    line("Drawdown", "red", 2, { fill: () => colour("fill-red") }),
  ], [t, s.drawdown], 150, scales(soft));
  overTime("PnL per hour", quote + ", net", [
    line("Gain", "green", 2, { fill: () => colour("green"), paths: uPlot.paths.bars({ size: [0.7, 40] }), width: 0 }),
    line("Loss", "red", 2, { fill: () => colour("red"), paths: uPlot.paths.bars({ size: [0.7, 40] }), width: 0 }),
  ], [
    [data.span[0], ...data.periods.t, data.span[1]],
    [null, ...data.periods.pnl.map(v => (v >= 0 ? v : null)), null],
    [null, ...data.periods.pnl.map(v => (v < 0 ? v : null)), null],
  ], 150, scales(soft));
  const limits = s.limit ? [
    line("Limit", "amber", 4, { dash: [6, 4] }),
    line("Lower limit", "amber", 4, { dash: [6, 4] }),
  ] : [];
  overTime("Inventory", base, [line("Inventory", "blue", 4, { paths: stepped }), ...limits],
    [t, s.inventory, ...(s.limit ? [s.limit, s.limit.map(v => (v == null ? null : -v))] : [])], 190, scales(soft));
  overTime("Quotes and fills", quote, [
    line("Ask", "amber", data.digits, { paths: stepped }),
    line("Mid", "grey", data.digits),
    line("Bid", "violet", data.digits, { paths: stepped }),
    ...fillLines,
  ], [t, s.ask, s.mid, s.bid, nothing, nothing], 330, { hooks: { draw: [marks(fills, fills.price, 4)] } });
  overTime("Quotes and fills against the mid", "bps", [
    line("Ask", "amber", 2, { paths: stepped }),
    line("Bid", "violet", 2, { paths: stepped }),
    ...fillLines,
  ], [t, s.ask_bps, s.bid_bps, nothing, nothing], 230,
    Object.assign(scales(soft), { hooks: { draw: [marks(fills, fills.bps, 3)] } }));
  overTime("γ", "risk aversion of the decision", [line("γ", "violet", 3, { paths: stepped })], [t, s.gamma], 140, scales(soft));
  overTime("Skew", "half-spreads, positive raises both quotes", [line("Skew", "blue", 3, { paths: stepped })],
    [t, s.skew], 140, scales(soft));

  const names = data.markouts.map(m => m.label), at = names.map((_, i) => i);
  const dots = tint => ({ points: { show: true, size: 7, fill: () => colour(tint), stroke: () => colour(tint) } });
  draw(box(document.getElementById("markouts"), "Mark-out", "bps"), {
    cursor: { y: false, drag: { x: false, y: false } },
    scales: Object.assign({ x: { time: false, range: [-0.3, names.length - 0.7] } }, soft),
    axes: [axis({ splits: () => at, values: () => names, size: 30 }), axis({ size: 60 })],
    series: [
      { label: "After", value: (u, i) => (i == null ? "–" : names[i]) },
      line("All fills", "blue", 2, Object.assign(dots("blue"), { width: 2 })),
      line("Bought", "green", 2, dots("green")),
      line("Sold", "red", 2, dots("red")),
    ],
  }, [at, ...["all", "bought", "sold"].map(k => data.markouts.map(m => m[k]))], 240);

  addEventListener("resize", () => plots.forEach(([p, card, height]) => p.setSize({ width: card.clientWidth - 24, height })));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => plots.forEach(([p]) => p.redraw(false)));
})();
