"""A task at home or on a computer, step by step."""

from plaudit.data.worlds._draw import Draw
from plaudit.data.worlds._task import Part, Task, others, up

# task, three steps
TASKS = (
    ("poach an egg", "bring a pan of water with a dash of vinegar to a bare simmer",
     "stir the water and slide the egg into the middle", "lift it out after three minutes and drain it on paper"),
    ("change a bicycle tube", "take the wheel off and lever one side of the tyre over the rim",
     "pull out the old tube and feel inside the tyre for glass",
     "push in the new tube, press the tyre back and pump it up"),
    ("iron a shirt", "set the iron to the heat on the label and damp the cloth a little",
     "do the collar first, then the cuffs and sleeves", "finish with the back and the fronts and hang it up at once"),
    ("repot a house plant", "water it the day before and ease it out of its old pot",
     "loosen the roots and set it in a pot one size larger", "fill up with fresh soil, press gently and water it"),
    ("wrap a book as a present", "lay the book on the paper and cut enough to go round once",
     "fold the long sides over and tape them", "fold the ends into triangles and tape them flat"),
    ("make a cup of loose-leaf tea", "warm the pot and add one spoonful for each cup",
     "pour on freshly boiled water and wait four minutes", "pour it through a strainer and add milk if you like"),
    ("sew on a button", "thread a needle with double thread and knot the end",
     "go up and down through the holes about six times", "wind the thread round the stem and tie it off at the back"),
    ("back up the photos on a phone", "connect the phone to the computer with its cable",
     "copy the photo folder to an outside drive", "open a few of the copies before you delete anything"),
    ("clean a cast-iron pan", "wipe it out while it is still warm and scrub it with coarse salt",
     "rinse it quickly and dry it on the stove", "rub in a thin film of oil before you put it away"),
    ("jump-start a car", "join the two plus poles with the red cable",
     "clip the black cable to the good battery and to bare metal on the other car",
     "start the car that helps first, then the other one"),
    ("hang a heavy mirror", "find a stud or use wall plugs made for the weight",
     "mark both holes with a level and drill them", "drive in the screws and hang the mirror with a helper"),
    ("proof a yeast dough", "knead it until it is smooth and put it in an oiled bowl",
     "cover it and leave it in a warm place for an hour", "press a finger in: if the dent stays, it is ready"),
    ("tie a bow tie", "lay it round your neck with one end longer and cross it over",
     "fold the short end into a bow and drop the long end over its middle",
     "push a loop of the long end through the gap behind and tighten both sides"),
)  # fmt: skip
WHY = ("My aunt is coming to visit {}", "I have to do this {}", "I promised to do this {}", "I want to try it {}",
       "There is nobody here to ask {}", "I shall be showing it to my son {}")  # fmt: skip
WHEN = (
    "tonight",
    "tomorrow morning",
    "on Friday",
    "before noon",
    "this weekend",
    "in an hour",
    "next week",
    "after work",
)
SKILL = ("I have never done it before", "I tried once and it went badly", "I only know it from films",
         "My last try was a mess",
         "I have all the tools", "I have about half an hour", "I am rather clumsy",
         "I like to do things properly")  # fmt: skip
EXTRAS = (
    "Take your time over it.",
    "After a few tries it becomes second nature.",
    "It looks harder than it is.",
    "There are many videos about it.",
    "My grandmother did it in much the same way.",
    "Have everything within reach before you begin.",
    "A little practice goes a long way.",
)


def make(draw: Draw) -> Task:
    row = draw.pick(TASKS)
    task, *steps = row
    one, two = others(draw, TASKS, row)
    lead = (("First, ", "To start with, "), ("Then ", "Next, "), ("Finally, ", "To finish, "))
    parts = []
    for i, step in enumerate(steps):
        right = tuple(word + step + "." for word in lead[i])
        wrong = (lead[i][0] + one[i + 1] + ".", lead[i][1] + two[i + 1] + ".")
        parts.append(Part(right, wrong))
    why, skill = draw.pick(WHY).format(draw.pick(WHEN)), draw.pick(SKILL)
    prompt = draw.pick((
        f"How do I {task}? {skill}. {why}. Please take me through the start, the middle and the end.",
        f"{why}: how do I {task}, from beginning to end? {skill}.",
        f"{skill}, so please explain in three steps how to {task}. {why}.",
        f"{up(task)}: what are the three steps? {skill}. {why}.",
    ))  # fmt: skip
    return Task(prompt, task, tuple(parts), EXTRAS, ("numbered", "bullets", "prose"))
