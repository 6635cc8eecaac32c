"""`asmm tune`, `asmm train` and `asmm evaluate`: choosing on the past, judging on what comes after."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import orjson
import typer

from asmm_daemon.commands.options import (
    ConfigOption,
    DataOption,
    FeesOption,
    FromOption,
    HoursOption,
    JobsOption,
    JsonOption,
    LatencyOption,
    SeedOption,
    SetOption,
    SymbolOption,
    ToOption,
    progress_bar,
)
from asmm_daemon.config import DEFAULT_PATH

BudgetOption = Annotated[
    int, typer.Option("--budget", min=1, help="Passes over the training stretch, tuning and per agent.")
]
ScoreOption = Annotated[
    Literal["pnl", "sharpe", "pnl_to_map"],
    typer.Option("--score", help="What tuning maximises, and what the best network is chosen by."),
]
RewardOption = Annotated[
    Literal["dampened", "penalised"],
    typer.Option(
        "--reward", help="dampened: Δ(realised + min(unrealised, 0)); penalised: ΔPnL − penalty·|q|."
    ),
]
PenaltyOption = Annotated[
    float, typer.Option("--penalty", min=0, help="Quote currency per risk lot and cycle (penalised).")
]
MemoryOption = Annotated[
    str | None,
    typer.Option("--memory", metavar="30s", help="Forget the PnL of inventory older than this (penalised)."),
]
GammasOption = Annotated[
    str | None, typer.Option("--gammas", metavar="0.01,0.1,0.2,0.9", help="The agent's choices of γ.")
]
SkewsOption = Annotated[
    str | None, typer.Option("--skews", metavar="-1,-0.5,0,0.5,1", help="The agent's choices of skew.")
]
HyperOption = Annotated[
    list[str] | None,
    typer.Option("--hyper", metavar="NAME=VALUE", help="A hyper-parameter, as in the learner's table."),
]


def _duration(name: str, default: str, text: str) -> Any:
    return typer.Option(name, metavar=default, help=text)


def tune(
    data: DataOption,
    path: ConfigOption = DEFAULT_PATH,
    overrides: SetOption = None,
    symbol: SymbolOption = None,
    start: FromOption = None,
    end: ToOption = None,
    latency: LatencyOption = "10ms",
    fees: FeesOption = "venue",
    seed: SeedOption = 1,
    hours: HoursOption = 24.0,
    trials: Annotated[int, typer.Option("--trials", min=1, help="Backtests to spend.")] = 64,
    score: ScoreOption = "pnl",
    sampler: Annotated[
        Literal["tpe", "genetic", "random"], typer.Option("--sampler", help="genetic: NSGA-II.")
    ] = "tpe",
    batch: Annotated[
        int, typer.Option("--batch", min=1, help="Trials chosen at a time; with --ray they run side by side.")
    ] = 8,
    ray: Annotated[
        str | None,
        typer.Option(
            "--ray", metavar="ADDRESS", help="Backtests on a Ray cluster: local, auto, ray://HOST:PORT."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Finds γ, skew, τ, half-spread multiplier and minimum by backtests on training data."""
    from asmm_daemon.commands import needs

    needs.learning("tune", "optuna")
    if ray is not None:
        needs.optional("--ray", "ray", "ray")
    from asmm_daemon.commands.workshop import judge_of, open_workshop
    from asmm_daemon.learn.tuning import tune as search

    shop = open_workshop(
        data, path, overrides, symbol, start, end, latency=latency, fees=fees, seed=seed, hours=hours
    )
    with judge_of(shop, ray) as judge, progress_bar() as bar:
        task = bar.add_task("tuning", total=trials, note="")
        found = search(
            shop.setup,
            judge,
            trials=trials,
            seed=seed,
            score=score,
            sampler=sampler,
            batch=batch,
            progress=lambda n, best: bar.update(task, completed=n, note=f"best {score} {best:.6g}"),
        )
    if as_json:
        told = {
            "parameters": found.parameters,
            "training": found.statistics.as_dict(),
            "trials": found.trials,
        }
        print(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode())
        return
    print(f"# best of {trials} trials by {score} on {shop.words}: copy what you trust into config.toml")
    print("[quoting]")
    p = found.parameters
    print(f"gamma = {p['gamma']:.6g}\nskew = {p['skew']:.6g}")
    print(f"tau_min_s = {p['tau_s']:.6g}\ntau_max_s = {p['tau_s']:.6g}")
    print(f"half_spread_factor = {p['half_spread_factor']:.6g}")
    print(f"min_half_spread_bps = {p['min_half_spread_bps']:.6g}")
    s = found.statistics
    print(f"# there: net {s.pnl_net:.6g}, {s.fills} fills, both sides quoted {s.quoted_both_share:.1%}")


def train(
    data: DataOption,
    out: Annotated[
        Path,
        typer.Option("--out", metavar="FOLDER", file_okay=False, help="Checkpoint, curves, model files."),
    ],
    path: ConfigOption = DEFAULT_PATH,
    overrides: SetOption = None,
    symbol: SymbolOption = None,
    start: FromOption = None,
    end: ToOption = None,
    latency: LatencyOption = "10ms",
    fees: FeesOption = "venue",
    seed: SeedOption = 1,
    hours: HoursOption = 24.0,
    agent: Annotated[
        Literal["alpha_as", "alpha_as_rnn"], typer.Option("--agent", help="MLP, or LSTM first.")
    ] = "alpha_as",
    validate: Annotated[
        str, _duration("--validate", "6h", "The end of the data, on which the best network is chosen.")
    ] = "6h",
    purge: Annotated[str, _duration("--purge", "10m", "Left out between the two.")] = "10m",
    steps: Annotated[int, typer.Option("--steps", min=1, help="Quote cycles to learn from.")] = 500_000,
    reward: RewardOption = "dampened",
    penalty: PenaltyOption = 0.0,
    memory: MemoryOption = None,
    gammas: GammasOption = None,
    skews: SkewsOption = None,
    resume: Annotated[
        bool, typer.Option("--resume/--restart", help="Go on from the folder's checkpoint.")
    ] = True,
    score: ScoreOption = "pnl",
    hyper: HyperOption = None,
) -> None:
    """Trains the agent on a recording; the best model by validation is OUT/best.json."""
    from asmm_daemon.commands import needs

    needs.learning("train", "torch", "tensorboard")
    from asmm_daemon.commands.workshop import changed, goal_of, grid_of, open_workshop, stretches, train_here
    from asmm_daemon.learn.agents import hyper_of

    goal = goal_of(reward, penalty, memory, score)
    shop = open_workshop(
        data, path, overrides, symbol, start, end, latency=latency, fees=fees, seed=seed, hours=hours
    )
    span = stretches(shop, validate, purge)
    grid = grid_of(shop.setup, gammas, skews)
    chosen = replace(hyper_of(agent, steps, seed), **changed(hyper or []))
    with progress_bar() as bar:
        task = bar.add_task("training", total=steps, note="")

        def tell(p: Any) -> None:
            note = f"loss {p.loss:.3g}  reward {p.reward:.4g}  validation {p.best:.4g}  {p.per_s:.0f}/s"
            bar.update(task, completed=p.step, note=note)

        found = train_here(shop, span, goal, grid, chosen, out, resume=resume, progress=tell)
    print(f"{out}/best.json: {_worth(found.evaluation, score)} on validation, step {found.best.step}")


def _worth(value: float, score: str) -> str:
    from asmm_daemon.learn.tuning import FAR_BELOW, FLOOR

    if value <= FAR_BELOW:
        return f"quotes less than the participation floor of {FLOOR:.0%}"
    return f"{score} {value:.6g}"


def evaluate(
    data: DataOption,
    path: ConfigOption = DEFAULT_PATH,
    overrides: SetOption = None,
    symbol: SymbolOption = None,
    start: FromOption = None,
    end: ToOption = None,
    latency: LatencyOption = "10ms",
    fees: FeesOption = "venue",
    seed: SeedOption = 1,
    hours: HoursOption = 24.0,
    train_for: Annotated[str, _duration("--train", "18h", "Length of each training stretch.")] = "18h",
    validate: Annotated[str, _duration("--validate", "6h", "Length of each validation stretch.")] = "6h",
    test: Annotated[str, _duration("--test", "24h", "Length of each test stretch.")] = "24h",
    purge: Annotated[str, _duration("--purge", "10m", "Left out between stretches.")] = "10m",
    budget: BudgetOption = 40,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Trainings of each agent.")] = 5,
    agents: Annotated[
        str, typer.Option("--agents", help="alpha_as, alpha_as_rnn, both with a comma, or none.")
    ] = "alpha_as,alpha_as_rnn",
    score: ScoreOption = "pnl",
    reward: RewardOption = "dampened",
    penalty: PenaltyOption = 0.0,
    memory: MemoryOption = None,
    gammas: GammasOption = None,
    skews: SkewsOption = None,
    hyper: HyperOption = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FOLDER", file_okay=False, help="Keeps the trainings here, to go on with."
        ),
    ] = None,
    jobs: JobsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tunes and trains on the past, tests on unseen data, and prints all strategies side by side."""
    from asmm_daemon.commands import needs

    needs.learning("evaluate", "optuna", *(["torch", "tensorboard"] if agents != "none" else []))
    from asmm_daemon.backtest.workers import processors
    from asmm_daemon.commands.workshop import evaluate_here, goal_of, grid_of, open_workshop, plan_of

    goal = goal_of(reward, penalty, memory, score)
    plan = plan_of(budget, seeds, seed, agents, goal, hyper or [])
    shop = open_workshop(
        data, path, overrides, symbol, start, end, latency=latency, fees=fees, seed=seed, hours=hours
    )
    plan = replace(plan, grid=grid_of(shop.setup, gammas, skews))
    with progress_bar() as bar:
        task = bar.add_task("evaluating", total=1.0, note="")
        found = evaluate_here(
            shop,
            plan,
            (train_for, validate, test, purge),
            out,
            jobs=jobs or processors(),
            progress=lambda text, share: bar.update(task, completed=share, note=text),
        )
    for line in found.as_json() if as_json else found.lines():
        print(line)
