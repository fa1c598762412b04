"""An ingredient is missing: what to use instead, how much of it, and what it changes."""

from plaudit.data.worlds._draw import Draw
from plaudit.data.worlds._task import Part, Task, listed, others, up

# missing, dishes, substitute, amount, effect
SWAPS = (
    ("buttermilk", ("pancakes", "scones", "soda bread"), "milk with a spoonful of lemon juice",
     "a cup of milk and one tablespoon of juice for each cup", "the batter will be a little thinner"),
    ("eggs", ("banana bread", "muffins", "a carrot cake"), "mashed banana or applesauce",
     "a quarter cup for each egg", "the crumb will be moister and a bit heavier"),
    ("fresh basil", ("a tomato sauce", "a pasta salad", "a pizza"), "dried oregano",
     "one teaspoon where you would use a handful", "it will taste earthier and less sweet"),
    ("white wine", ("a risotto", "a mushroom sauce", "mussels"), "stock with a splash of vinegar",
     "the same volume, with one teaspoon of vinegar in each cup", "it will be saltier, so season late"),
    ("brown sugar", ("oat cookies", "a crumble", "gingerbread"), "white sugar and a little molasses",
     "one tablespoon of molasses for each cup of sugar", "the flavour stays almost the same"),
    ("cream", ("a potato soup", "a pasta sauce", "a quiche"), "full milk with butter",
     "three quarters of a cup of milk and a quarter cup of butter for each cup", "it will not whip, but it cooks well"),
    ("baking powder", ("a sponge cake", "waffles", "dumplings"), "baking soda and cream of tartar",
     "one part soda to two parts cream of tartar", "it rises at once, so bake it right away"),
    ("soy sauce", ("fried rice", "a stir-fry", "a marinade"), "Worcestershire sauce with a pinch of salt",
     "two thirds of the amount", "it will be sweeter and a little sharper"),
    ("breadcrumbs", ("meatballs", "schnitzel", "a gratin"), "crushed crackers",
     "the same amount", "the crust will be saltier and crunchier"),
    ("sour cream", ("a goulash", "baked potatoes", "a dip"), "plain Greek yoghurt",
     "the same amount", "it will be tangier and may curdle when boiled"),
    ("honey", ("granola", "a salad dressing", "flapjacks"), "maple syrup",
     "the same amount", "it will be runnier and less floral"),
    ("cornstarch", ("a gravy", "a custard", "a fruit filling"), "plain flour",
     "twice the amount", "it will look cloudier and needs a few more minutes on the heat"),
    ("shallots", ("a vinaigrette", "a red wine sauce", "a lentil salad"), "a mild onion with a little garlic",
     "half an onion for every two shallots", "it will taste stronger when raw"),
)  # fmt: skip
WHO = ("my sister", "six guests", "our neighbours", "the whole family", "a school fair", "my flatmates", "my in-laws",
       "two hungry teenagers", "a friend's birthday", "tomorrow's picnic", "the office", "my book club")  # fmt: skip
WHY = ("the shop is closed", "we ran out yesterday", "I forgot to buy any", "the shop had none left",
       "my flatmate took the last", "I thought we had enough", "I do not want to go out again")  # fmt: skip
EXTRAS = (
    "Cooking is forgiving, and most recipes can take a small change.",
    "Taste as you go along.",
    "Write down what you did in case you like it.",
    "Somebody at the table will ask for the recipe anyway.",
    "Read the whole recipe once more before you start.",
    "A clean kitchen counter makes everything easier.",
    "Nobody will hold it against you.",
)


def make(draw: Draw) -> Task:
    row = draw.pick(SWAPS)
    missing, dishes, use, amount, effect = row
    one, two = others(draw, SWAPS, row)
    every = (
        ("what can I use instead", Part(
            (f"Use {use} instead.", f"A good stand-in is {use}.", f"I would reach for {use}."),
            (f"Use {one[2]} instead.", f"A good stand-in is {two[2]}.", f"I would reach for {one[2]}."))),
        ("how much of it do I need", Part(
            (f"Take {amount}.", f"You need {amount}."),
            (f"Take {one[3]}." if one[3] != amount else "Take five times the amount.",
             f"You need {two[3]}." if two[3] != amount else "You need three times the amount."))),
        ("what will be different", Part(
            (f"With this, {effect}.", f"You may notice that {effect}."),
            (f"With this, {one[4]}.", f"You may notice that {two[4]}."))),
    )  # fmt: skip
    asked = [every[0]] + draw.subset(every[1:], draw.pick((1, 1, 2)))
    question = up(listed([q for q, _ in asked])) + "?"
    dish, who, why = draw.pick(dishes), draw.pick(WHO), draw.pick(WHY)
    start = draw.pick((
        f"I am making {dish} for {who} and have no {missing}, because {why}.",
        f"No {missing} in the house: {why}. I want to make {dish} for {who}.",
        f"My recipe for {dish} needs {missing}, but {why}. It is for {who}.",
    ))  # fmt: skip
    return Task(f"{start} {question}", missing, tuple(p for _, p in asked), EXTRAS)
