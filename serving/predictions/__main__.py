"""Train the model, score all customers of the last month, or one. Reads and writes with dbt's own login."""

import argparse
import os
import sys

import psycopg2

from serving.predictions import score
from serving.predictions.model import FOLDER, PredictionsError


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m serving.predictions",
        description=__doc__,
        epilog="exit code: 1 refused, with the reason, nothing was written; 2 wrong usage.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("train", help="learn from all known labels and write the card (make model)")
    commands.add_parser("score", help="write predictions.scores (make score)")
    commands.add_parser("customer", help="print one customer's score").add_argument("number", type=int)
    options = parser.parse_args()
    try:
        if os.environ.get("DBT_TARGET") == "redshift":
            raise PredictionsError("Models are trained and scored on Postgres; unset DBT_TARGET.")
        if options.command == "train":
            from serving.predictions import train  # of a virtual environment of its own

            print(f"{FOLDER / train.train().model_id / 'card.md'}")
        else:
            print(score.score() if options.command == "score" else score.one(options.number))
    except PredictionsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except ImportError as error:
        print(f"error: {error.name} is not installed here: `make model` does it.", file=sys.stderr)
        return 1
    except psycopg2.Error as error:
        print(f"error: {str(error).splitlines()[0]}. Is the warehouse there and built (`make run`)?", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
