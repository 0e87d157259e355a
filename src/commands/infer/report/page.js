"use strict";
// Everything that others wrote comes from the JSON, and becomes text by textContent only: nothing here makes markup.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const { about, labels, rows, videos, thumbnails } = data;
  const SVG = "http://www.w3.org/2000/svg";
  const PER_PAGE = 60, VIDEOS_PER_PAGE = 8, ERRORS_PER_PAGE = 100;
  const $ = (id) => document.getElementById(id);

  /** An element with its attributes and children; a string among them is text. */
  function make(name, attributes = {}, ...children) {
    const [tag, ...classes] = name.split(".");
    const element = document.createElement(tag || "div");
    if (classes.length) element.className = classes.join(" ");
    for (const [key, value] of Object.entries(attributes)) {
      if (key === "onclick") element.addEventListener("click", value);
      else if (value !== false && value != null) element.setAttribute(key, value === true ? "" : value);
    }
    element.append(...children.flat().filter((child) => child != null && child !== false));
    return element;
  }
  function draw(tag, attributes) {
    const element = document.createElementNS(SVG, tag);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  }
  const part = (element, share) => {
    element.style.setProperty("--part", `${Math.min(100, Math.max(0, share * 100)).toFixed(2)}%`);
    return element;
  };

  const whole = new Intl.NumberFormat("en");
  const count = (number) => whole.format(number);
  const many = (number, one, more = `${one}s`) => `${count(number)} ${number === 1 ? one : more}`;
  const percent = (score) => (score == null ? "no score" : `${(score * 100).toFixed(1)}\u00a0%`);
  const share = (of, all) => { const value = (of / all) * 100; return all ? `${value > 0 && value < 0.1 ? "< 0.1" : value.toFixed(value < 10 ? 1 : 0)}\u00a0%` : ""; };
  function time(seconds) {
    if (seconds == null) return "–";
    if (seconds < 0.01) return `${(seconds * 1000).toFixed(1)}\u00a0ms`;
    if (seconds < 1) return `${Math.round(seconds * 1000)}\u00a0ms`;
    if (seconds < 10) return `${seconds.toFixed(2)}\u00a0s`;
    if (seconds < 100) return `${seconds.toFixed(1)}\u00a0s`;
    const minutes = Math.floor(seconds / 60);
    const rest = String(Math.round(seconds) % 60).padStart(2, "0");
    return minutes < 60 ? `${minutes}:${rest}\u00a0min` : `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}\u00a0h`;
  }
  /** A place in a video. */
  function clock(seconds) {
    const minutes = Math.floor(seconds / 60);
    return `${minutes}:${(seconds - minutes * 60).toFixed(1).padStart(4, "0")}`;
  }
  function day(text) {
    const at = new Date(text);
    if (Number.isNaN(at.getTime())) return text;
    const shown = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "long", year: "numeric", hour: "2-digit", minute: "2-digit", timeZone: "UTC" });
    return `${shown.format(at)} UTC`;
  }
  const label = (number) => labels[number] ?? "?";
  const last = (name) => name.slice(name.replace(/\/+$/, "").lastIndexOf("/") + 1) || name;
  const alias = (model) => about.models[model]?.alias ?? "";
  const bestLabel = (row, model) => row.r?.[model]?.[0]?.[0];

  // ---- the top of the page
  const successful = about.failed === 0;
  function header() {
    const parts = [about.images && many(about.images, "image"), about.videos && many(about.videos, "video")].filter(Boolean);
    $("kicker").textContent = "Inference report";
    $("title").textContent = parts.length ? `${parts.join(" and ")}, ${many(about.models.length, "model")}` : "Nothing was classified";
    const requests = about.images + about.frames;
    const failures = many(about.failed, "failure");
    if (requests || about.failed) {
      const asked = [about.images && many(about.images, "image"), about.frames && many(about.frames, "sampled frame")].filter(Boolean).join(" and ");
      $("verdict").append(make(successful ? "span.pill" : "span.pill.bad", {}, successful ? "All successful" : failures));
      if (asked) $("verdict").append(make("span.soft", {}, `${asked} asked for`));
      if (!successful) $("verdict").append(make("a", { href: "#errors" }, "See what failed, and how to ask again"));
    }
    const fact = (name, ...values) => values.some(Boolean) && $("facts").append(make("div", {}, make("dt", {}, name), values.filter(Boolean).map((value) => make("dd.word", {}, value))));
    const models = about.models.map((model) => {
      const name = model.name && model.name !== model.alias ? `${model.alias} (${model.name}` : model.alias;
      return name + (model.version ? `${name.includes("(") ? ", " : " ("}version ${model.version})` : name.includes("(") ? ")" : "");
    });
    fact("Started", day(about.started));
    fact("Server", about.server);
    fact("Models", ...models);
    fact("Asked for", ...(about.asked.length ? about.asked : ["the pipeline"]));
    const sources = about.sources.length ? about.sources : ["the deployment's bucket"];
    fact("Sources", ...sources, about.more_sources && `and ${count(about.more_sources)} more`);
    fact("Protocol", about.protocol);
    if (about.videos) fact("Frames of videos", about.sampling.replace(/^every (\d+)$/, "every $1th").replace(/^fps (.*)$/, "$1 a second"));
    fact("tritondeploy", about.version && `version ${about.version}${about.runs > 1 ? `, in ${about.runs} runs` : ""}`);
  }

  function totals() {
    const tile = (name, value, kind) => $("tiles").append(make(kind ? `div.${kind}` : "div", {}, make("dt", {}, name), make("dd", {}, value)));
    const requests = about.images + about.frames;
    const broken = about.failed - (requests - about.answered);
    tile("Requests", count(requests));
    tile("Successful", count(about.answered), "good");
    tile("Failed", count(requests - about.answered), requests > about.answered ? "bad" : "");
    if (broken > 0) tile("Broken videos", count(broken), "bad");
    if (about.seconds != null) {
      tile("Total time", time(about.seconds));
      const rate = about.answered / about.seconds;
      if (about.seconds > 0) tile(about.frames ? "Answers / s" : "Images / s", rate >= 100 ? count(Math.round(rate)) : rate.toFixed(1));
    }
    if (!about.latency) return;
    tile("Mean latency", time(about.latency.average));
    for (const name of ["p50", "p95", "p99"]) tile(name, time(about.latency[name]));
  }

  function navigation() {
    const sections = [["totals", "Totals", true], ["labels", "Labels", about.models.some((model) => model.answers)], ["images", "Images", rows.length],
      ["videos", "Videos", videos.length], ["latency", "Latency", about.latency], ["errors", "Errors", about.failed]];
    for (const [id, name, shown] of sections) {
      if (!shown) continue;
      $(id).hidden = false;
      $("nav").append(make("li", {}, make("a", { href: `#${id}` }, name)));
    }
  }

  // ---- labels
  function columns(counts, describe, extra) {
    const most = Math.max(1, ...counts), all = counts.length;
    const chart = draw("svg", { class: "chart", viewBox: `0 0 ${all * 10} 100`, preserveAspectRatio: "none", height: extra.height, role: "img", "aria-label": extra.title });
    counts.forEach((value, at) => {
      const height = value ? Math.max(1.5, (value / most) * 100) : 0;
      const column = draw("rect", { class: at === extra.beyond ? "beyond" : "column", x: at * 10 + 0.6, y: 100 - height, width: 8.8, height });
      const tip = draw("title", {});
      tip.textContent = describe(at, value);
      column.append(tip);
      chart.append(column);
    });
    return chart;
  }
  function table(heads, lines) {
    const number = (at) => heads[at].startsWith("#");
    return make("div.scroll", { tabindex: 0, role: "region", "aria-label": "Table" }, make("table", {},
      make("thead", {}, make("tr", {}, heads.map((head, at) => make(number(at) ? "th.num" : "th", { scope: "col" }, head.replace("#", ""))))),
      make("tbody", {}, lines.map((line) => make("tr", {}, line.map((cell, at) => make(number(at) ? "td.num" : "td", {}, cell)))))));
  }
  const folded = (title, ...inside) => make("details", {}, make("summary", {}, title), ...inside);

  function models() {
    about.models.forEach((model, at) => {
      if (!model.answers && !model.failed) return;
      const most = model.top[0]?.[1] ?? 1;
      const bars = make("ul.bars", {}, model.top.map(([number, times]) => make("li", {}, make("button", {
        type: "button", title: label(number), onclick: () => { select({ label: [at, number], query: "", show: "all" }); $("images").scrollIntoView(); },
      }, make("span.word", {}, label(number)), make("span.meter", {}, part(make("span"), times / most)), make("span.num", {}, `${count(times)} · ${share(times, model.answers)}`)))));
      const scored = model.confidence.reduce((sum, next) => sum + next, 0);
      const range = (bin) => `${bin * 5} to ${bin * 5 + 5} %`;
      const rest = model.labels > model.top.length ? `, the ${model.top.length} most frequent` : "";
      $("models").append(make("article.panel", {}, make("h3.word", {}, model.alias),
        make("p", {}, `${many(model.answers, "answer")}, ${many(model.labels, "label")}${rest}${model.failed ? `; ${count(model.failed)} failed` : ""}`), bars,
        scored > 0 && make("h4", {}, `Confidence of the first label${model.mean == null ? "" : `, mean ${percent(model.mean)}`}`),
        scored > 0 && columns(model.confidence, (bin, value) => `${range(bin)}: ${count(value)}`, { height: 74, title: `Histogram of confidence of ${model.alias}; the same numbers are in the table below` }),
        scored > 0 && make("p.axis", { "aria-hidden": "true" }, ["0 %", "50 %", "100 %"].map((text) => make("span", {}, text))),
        scored > 0 && folded("Confidence as a table", table(["Confidence", "#Answers"], model.confidence.map((value, bin) => [range(bin), count(value)])))));
    });
  }

  // ---- latency
  function latency() {
    const { latency } = about;
    if (!latency) return;
    const counts = [...latency.columns, ...(latency.beyond ? [latency.beyond] : [])];
    const end = latency.from + latency.columns.length * latency.width;
    const range = (at) => (at < latency.columns.length
      ? `${time(latency.from + at * latency.width)} to ${time(latency.from + (at + 1) * latency.width)}` : `over ${time(end)}`);
    const marks = make("div.marks", { "aria-hidden": "true" });
    const chart = columns(counts, (at, value) => `${range(at)}: ${many(value, "answer")}`, {
      height: 170, beyond: latency.beyond ? counts.length - 1 : -1,
      title: `Histogram of latency: half of the answers within ${time(latency.p50)}, 95 % within ${time(latency.p95)}, 99 % within ${time(latency.p99)}; the same numbers are in the table below`,
    });
    let before = -1;
    for (const name of ["p50", "p95", "p99"]) {
      const x = Math.min((latency[name] - latency.from) / latency.width, latency.columns.length + 0.5);
      chart.append(draw("line", { class: "mark", x1: x * 10, x2: x * 10, y1: 0, y2: 100 }));
      const place = x / counts.length;
      if (place - before > (innerWidth < 600 ? 0.14 : 0.05)) marks.append(part(make(place > 0.85 ? "span.right" : place < 0.08 ? "span.left" : "span", {}, name), place));
      before = place;
    }
    const axis = make("p.axis", { "aria-hidden": "true" }, [time(latency.from), time((latency.from + end) / 2), latency.beyond ? `over ${time(end)}` : time(end)].map((text) => make("span", {}, text)));
    $("histogram").append(
      make("h3", {}, "From asking to the answer, retries included"),
      make("p", {}, `${many(latency.count, "answer")}; fastest ${time(latency.least)}, average ${time(latency.average)}, slowest ${time(latency.most)}`),
      marks, chart, axis, folded("Latency as a table", table(["Time", "#Answers"], counts.map((value, at) => [range(at), count(value)]))));
  }

  // ---- errors
  function errors() {
    const { failures } = about;
    if (!failures.count) return;
    const place = $("causes");
    const again = failures.retryable ? make("p.note", {}, `${count(failures.retryable)} of ${many(failures.count, "failure")} may succeed when asked again: run the same command with `, make("code", {}, about.again), ". What has its answer is not asked for again.")
      : make("p.note", {}, "The same would fail again: correct or remove what is named here, then run the command once more.");
    place.append(again);
    for (const cause of failures.causes) {
      const more = cause.count - cause.examples.length;
      place.append(make("article.panel.cause", {}, make("header", {}, make("h3.word", {}, cause.code || "other"),
        make("span.tag", {}, cause.retryable ? "may succeed later" : "final"), make("span.num", {}, many(cause.count, "time"))),
      make("p.word", {}, cause.message),
      make("ul", {}, cause.examples.map((name) => make("li.word", {}, name)), more > 0 && make("li", {}, `and ${count(more)} more`))));
    }
    const listed = failures.listed;
    const list = make("div"), pager = make("nav.pager", { "aria-label": "Pages of errors" });
    const show = (page) => {
      list.replaceChildren(table(["What", "Cause", "Message"], listed.slice(page * ERRORS_PER_PAGE, (page + 1) * ERRORS_PER_PAGE).map((one) => [one.name, one.code, one.message])));
      pages(pager, page, Math.ceil(listed.length / ERRORS_PER_PAGE), show);
    };
    const title = failures.count > listed.length ? `The first ${count(listed.length)} of ${count(failures.count)}, one by one` : `All ${count(failures.count)}, one by one`;
    const details = folded(title, list, pager);
    details.addEventListener("toggle", () => { if (details.open && !list.firstChild) show(0); });
    place.append(details);
  }
  function pages(place, page, all, go) {
    if (all <= 1) return place.replaceChildren();
    const step = (name, to) => make("button.quiet", { type: "button", disabled: to < 0 || to >= all || to === page, "data-step": name, onclick: () => {
      go(to);
      const same = [...place.querySelectorAll("button")].find((button) => button.dataset.step === name && !button.disabled);
      (same ?? place.querySelector("button:not(:disabled)"))?.focus();
    } }, name);
    place.replaceChildren(step("First", page === 0 ? -1 : 0), step("Previous", page - 1), make("p", {}, `Page ${count(page + 1)} of ${count(all)}`), step("Next", page + 1), step("Last", page === all - 1 ? -1 : all - 1));
  }

  // ---- images
  const state = { query: "", show: "all", order: "source", label: null, page: 0 };
  let found = [];
  const all = rows.map((_, at) => at);
  let search = null;
  const text = (at) => {
    search ??= rows.map((row) => [row.n, ...(row.r ?? []).flatMap((top) => (top.length ? [label(top[0][0])] : [])), row.e ?? ""].join("\n").toLowerCase());
    return search[at];
  };
  const surest = (row) => Math.min(...(row.r ?? []).map((top) => top[0]?.[1] ?? 2), 2);
  const differ = (row) => new Set((row.r ?? []).filter((top) => top.length).map((top) => top[0][0])).size > 1;
  const SHOW = { all: ["All", () => true], failed: ["Failed", (row) => row.e != null], answered: ["Successful", (row) => row.e == null], differ: ["Models disagree", differ] };
  const ORDER = {
    source: ["As in the sources", null], name: ["Name", (a, b) => (rows[a].n < rows[b].n ? -1 : rows[a].n > rows[b].n ? 1 : 0)],
    unsure: ["Least sure first", (a, b) => surest(rows[a]) - surest(rows[b])], slow: ["Slowest first", (a, b) => rows[b].s - rows[a].s],
  };
  function select(change) {
    Object.assign(state, { page: 0 }, change);
    $("query").value = state.query;
    $("show").value = state.show;
    const words = state.query.trim().toLowerCase();
    const kept = SHOW[state.show][1];
    found = all.filter((at) => kept(rows[at]) && (!state.label || bestLabel(rows[at], state.label[0]) === state.label[1]) && (!words || text(at).includes(words)));
    if (ORDER[state.order][1]) found.sort(ORDER[state.order][1]);
    sheet();
  }

  function result(top, of, { brief } = {}) {
    const [number, score] = top;
    return make("span.result", {}, of != null && make("span.of", {}, of), make("span.label", brief ? { title: label(number) } : {}, label(number)),
      make("span.num", {}, percent(score)), make("span.meter", {}, part(make("span"), score ?? 0)));
  }
  function picture(at) {
    return at in thumbnails ? make("img", { src: `data:image/jpeg;base64,${thumbnails[at]}`, alt: "", decoding: "async" }) : null;
  }
  function card(at, place) {
    const row = rows[at];
    const several = about.models.length > 1;
    return make("li", {}, make(row.e ? "button.card.bad" : "button.card", { type: "button", "data-item": place, title: row.n, onclick: () => detail(place) },
      make("span.picture", {}, picture(at) ?? (row.e ? "no image" : "no thumbnail")),
      make("span.body", {}, make("span.name", {}, last(row.n)),
        (row.r ?? []).map((top, model) => top.length > 0 && result(top[0], several && alias(model), { brief: true })),
        row.e && make("span.why", {}, row.e))));
  }
  function line(at, place) {
    const row = rows[at];
    const cells = about.models.map((_, model) => {
      const top = row.r?.[model]?.[0];
      return [make("td", {}, top ? label(top[0]) : "–"), make("td.num", {}, top ? percent(top[1]) : "")];
    });
    return make("tr", {}, make("td", {}, make("button.open", { type: "button", "data-item": place, onclick: () => detail(place) }, last(row.n)), row.e && make("span.why", {}, row.e)), ...cells.flat(), make("td.num", {}, time(row.s)));
  }
  let current = 0;
  function sheet() {
    const begin = state.page * PER_PAGE;
    const shown = found.slice(begin, begin + PER_PAGE);
    const end = begin + shown.length;
    $("count").textContent = found.length ? `${count(begin + 1)} to ${count(end)} of ${many(found.length, "image")}` : "No image matches";
    $("chip").replaceChildren();
    if (state.label) {
      const name = `${alias(state.label[0])}: ${label(state.label[1])}`;
      $("chip").append(make("button.chip", { type: "button", "aria-label": `Remove the filter ${name}`, onclick: () => { select({ label: null }); $("query").focus(); } }, `${name} ×`));
    }
    if (!shown.length) $("sheet").replaceChildren(make("p.empty", {}, "No image matches. Escape in the search box clears it."));
    else if (shown.some((at) => at in thumbnails)) $("sheet").replaceChildren(make("ul.cards", {}, shown.map((at, place) => card(at, begin + place))));
    else {
      const heads = ["Image", ...about.models.flatMap((model) => [model.alias, "#Score"]), "#Time"];
      const lines = table(heads, []);
      lines.removeAttribute("tabindex");
      lines.setAttribute("aria-label", "Images");
      lines.querySelector("tbody").append(...shown.map((at, place) => line(at, begin + place)));
      $("sheet").replaceChildren(lines);
    }
    current = begin;
    rove();
    pages($("pager"), state.page, Math.ceil(found.length / PER_PAGE), (page) => { state.page = page; sheet(); });
  }
  const items = () => [...$("sheet").querySelectorAll("[data-item]")];
  function rove() {
    for (const item of items()) item.tabIndex = Number(item.dataset.item) === current ? 0 : -1;
  }
  /** To the item at this place among those found, on whichever page it is. */
  function go(place) {
    place = Math.min(found.length - 1, Math.max(0, place));
    const page = Math.floor(place / PER_PAGE);
    if (page !== state.page) { state.page = page; sheet(); }
    current = place;
    rove();
    const item = items().find((one) => Number(one.dataset.item) === place);
    item?.focus();
    return item;
  }
  function across() {
    const list = items();
    if (!list[0] || list[0].matches(".open")) return 1;
    const top = list[0].getBoundingClientRect().top;
    const next = list.findIndex((item) => item.getBoundingClientRect().top > top + 4);
    return next < 0 ? list.length : next;
  }
  function sheetKeys(event) {
    const item = event.target.closest("[data-item]");
    if (!item || event.ctrlKey || event.altKey || event.metaKey) return;
    const at = Number(item.dataset.item);
    const to = { ArrowLeft: () => at - 1, ArrowRight: () => at + 1, ArrowUp: () => at - across(), ArrowDown: () => at + across(),
      Home: () => state.page * PER_PAGE, End: () => state.page * PER_PAGE + PER_PAGE - 1, PageUp: () => at - PER_PAGE, PageDown: () => at + PER_PAGE }[event.key]?.();
    if (to === undefined) return;
    event.preventDefault();
    if (to >= 0 && (to < found.length || event.key !== "ArrowDown")) go(to);
  }
  let open = 0;
  function detail(place) {
    open = place;
    const at = found[place];
    const row = rows[at];
    $("detail-title").textContent = row.n;
    $("detail-place").textContent = `${count(place + 1)} of ${count(found.length)} · ${time(row.s)}`;
    $("earlier").disabled = place === 0;
    $("later").disabled = place === found.length - 1;
    const answers = (row.r ?? []).map((top, model) => top.length > 0 && make("section", {}, make("h3.word", {}, alias(model)), make("ol.classes", {}, top.map((one) => make("li", {}, result(one))))));
    const image = picture(at);
    $("detail-body").replaceChildren(...(image ? [make("div", {}, image)] : []), make("div", {}, row.e && make("p.why", {}, row.e), answers));
    if (!$("detail").open) $("detail").showModal();
  }
  function turn(by) {
    if (open + by >= 0 && open + by < found.length) detail(open + by);
  }
  function images() {
    for (const [id, options] of [["show", SHOW], ["order", ORDER]]) {
      for (const [value, [name]] of Object.entries(options)) {
        if (value !== "differ" || about.models.length > 1) $(id).append(make("option", { value }, name));
      }
      $(id).addEventListener("change", () => select({ [id]: $(id).value }));
    }
    $("query").addEventListener("input", () => select({ query: $("query").value }));
    $("query").addEventListener("keydown", (event) => {
      if (event.key === "Escape") { event.preventDefault(); select({ query: "", label: null }); }
      if (event.key === "ArrowDown" && found.length) { event.preventDefault(); go(state.page * PER_PAGE); }
    });
    $("sheet").addEventListener("keydown", sheetKeys);
    $("sheet").addEventListener("focusin", (event) => {
      const item = event.target.closest("[data-item]");
      if (item) { current = Number(item.dataset.item); rove(); }
    });
    const dialog = $("detail");
    $("close").addEventListener("click", () => dialog.close());
    $("earlier").addEventListener("click", () => turn(-1));
    $("later").addEventListener("click", () => turn(1));
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
    dialog.addEventListener("close", () => go(open));
    dialog.addEventListener("keydown", (event) => {
      if (event.key === "ArrowLeft") turn(-1);
      if (event.key === "ArrowRight") turn(1);
    });
    document.addEventListener("keydown", (event) => {
      if (event.key === "/" && !dialog.open && !event.target.matches("input, select") && rows.length) { event.preventDefault(); $("query").focus(); }
    });
    select({});
  }

  // ---- videos
  function video(shown, number) {
    const columns = shown.starts.length;
    const totals = new Map();
    shown.models.flat().forEach((best) => best && totals.set(best[0], (totals.get(best[0]) ?? 0) + 1));
    const ranked = [...totals].sort((a, b) => b[1] - a[1]).map(([label]) => label);
    const colour = new Map(ranked.slice(0, 8).map((label, at) => [label, `c${at}`]));
    const of = (best) => (best ? colour.get(best[0]) ?? "c8" : "lost");
    const when = (at) => {
      const frame = `frame ${count(shown.starts[at])}`;
      return shown.times[at] == null ? frame : `${clock(shown.times[at])} · ${frame}`;
    };
    const say = (best) => (best ? `${label(best[0])} ${percent(best[1])}` : "no answer");
    const article = make("article.panel.video", {}, make("h3", {}, shown.name),
      make("p.soft", {}, [many(shown.frames, "frame"), shown.failed ? `${count(shown.failed)} failed` : null, shown.seconds == null ? null : `done in ${time(shown.seconds)}`].filter(Boolean).join(" · ")),
      shown.error && make("p.why", {}, shown.error));
    const pictures = data.pictures.filter(([video]) => video === number);
    if (pictures.length) article.append(make("div.film", { "aria-hidden": "true" }, pictures.map(([, column, jpeg]) => make("img", { src: `data:image/jpeg;base64,${jpeg}`, alt: "", title: when(column) }))));
    if (!columns) return article;
    shown.models.forEach((bests, model) => {
      const chart = draw("svg", { viewBox: `0 0 ${columns} 100`, preserveAspectRatio: "none", "aria-hidden": "true" });
      const paths = {};
      bests.forEach((best, at) => {
        const top = best ? 100 - Math.max(12, (best[1] ?? 1) * 100) : 0;
        paths[of(best)] = `${paths[of(best)] ?? ""}M${at} 100V${top.toFixed(1)}h1.02V100z`;
      });
      for (const [name, d] of Object.entries(paths)) chart.append(draw("path", { class: name, d }));
      const cursor = make("div.cursor");
      const said = make("span.said");
      const strip = make("div.strip", { tabindex: 0, role: "slider", "aria-label": `${alias(model)}: labels over time of ${last(shown.name)}`, "aria-valuemin": 0, "aria-valuemax": columns - 1 }, chart, cursor);
      let at = 0;
      const move = (to) => {
        at = Math.min(columns - 1, Math.max(0, to));
        part(cursor, (at + 0.5) / columns);
        said.textContent = `${when(at)} · ${say(bests[at])}`;
        strip.setAttribute("aria-valuenow", at);
        strip.setAttribute("aria-valuetext", said.textContent);
      };
      move(0);
      strip.addEventListener("pointermove", (event) => {
        const box = strip.getBoundingClientRect();
        move(Math.floor(((event.clientX - box.left) / box.width) * columns));
      });
      strip.addEventListener("keydown", (event) => {
        const to = { ArrowLeft: at - 1, ArrowDown: at - 1, ArrowRight: at + 1, ArrowUp: at + 1, PageDown: at - Math.ceil(columns / 10), PageUp: at + Math.ceil(columns / 10), Home: 0, End: columns - 1 }[event.key];
        if (to !== undefined) { event.preventDefault(); move(to); }
      });
      article.append(make("div.strip-head", {}, make("strong.word", {}, alias(model)), said), strip);
    });
    const end = shown.times[columns - 1];
    article.append(make("p.axis", { "aria-hidden": "true" }, [columns > 1 && shown.times[0] != null ? clock(shown.times[0]) : `frame ${count(shown.starts[0])}`, end == null ? `frame ${count(shown.last)}` : clock(end)].map((text) => make("span", {}, text))));
    const cells = shown.models.flat().length;
    const legend = ranked.slice(0, 8).map((label) => [colour.get(label), labels[label], totals.get(label)]);
    const others = ranked.slice(8).reduce((sum, label) => sum + totals.get(label), 0);
    const lost = shown.models.flat().filter((best) => !best).length;
    if (others) legend.push(["c8", `${many(ranked.length - 8, "other label")}`, others]);
    if (lost) legend.push(["lost", "no answer", lost]);
    article.append(make("ul.legend", {}, legend.map(([name, what, times]) => make("li", {}, make(`i.${name}`), make("span.word", {}, what), make("span.soft", {}, share(times, cells))))));
    const parts = shown.models.flatMap((bests, model) => {
      const spans = [];
      bests.forEach((best, at) => {
        const before = spans.at(-1);
        if (before && before.label === best?.[0]) before.scores.push(best?.[1]);
        else spans.push({ at, label: best?.[0], scores: [best?.[1]] });
      });
      return spans.map(({ at, label: number, scores }) => {
        const known = scores.filter((score) => score != null);
        return [alias(model), when(at), number === undefined ? "no answer" : label(number), known.length ? percent(known.reduce((sum, score) => sum + score, 0) / known.length) : "–"];
      });
    });
    const details = folded("Labels over time as a table");
    details.addEventListener("toggle", () => { if (details.childElementCount === 1) details.append(table(["Model", "From", "Label", "#Mean score"], parts)); });
    article.append(details);
    return article;
  }
  function showVideos(page) {
    const begin = page * VIDEOS_PER_PAGE;
    $("strips").replaceChildren(...videos.slice(begin, begin + VIDEOS_PER_PAGE).map((one, at) => video(one, begin + at)));
    pages($("video-pager"), page, Math.ceil(videos.length / VIDEOS_PER_PAGE), showVideos);
  }

  // ---- the end of the page
  function footer() {
    const { left_out } = about;
    const told = [
      left_out.rows && `${many(left_out.rows, "image is", "images are")} not listed`,
      left_out.details && `${many(left_out.details, "image has", "images have")} only the first label of each model`,
      left_out.thumbnails && `${many(left_out.thumbnails, "thumbnail")} did not fit`,
      left_out.strips && `${many(left_out.strips, "video has", "videos have")} no strip`,
      left_out.frames && `${many(left_out.frames, "frame is", "frames are")} in no strip`,
    ].filter(Boolean);
    const list = make("ul");
    if (told.length) list.append(make("li", {}, `To keep this file under 15 MB: ${told.join("; ")}. The totals count everything, and the journal has it all.`));
    if (left_out.lines) list.append(make("li", {}, `${many(left_out.lines, "line")} of the journal could not be read.`));
    if (about.images > 500) list.append(make("li", {}, "Thumbnails are kept for the first 500 images."));
    list.append(make("li", {}, `Made by tritondeploy ${about.version}. This file is complete in itself and loads nothing from anywhere.`));
    $("footer").append(list);
  }

  function theme() {
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const root = document.documentElement;
    const isDark = () => (root.dataset.theme ?? (dark.matches ? "dark" : "light")) === "dark";
    const name = () => { $("theme").textContent = isDark() ? "Light" : "Dark"; $("theme").setAttribute("aria-label", `Use ${isDark() ? "light" : "dark"} colours`); };
    $("theme").addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; name(); });
    dark.addEventListener("change", name);
    name();
  }

  for (const drawPart of [theme, header, totals, navigation, models, images, latency, errors, footer]) drawPart();
  showVideos(0);
  document.documentElement.dataset.ready = "yes";
})();
