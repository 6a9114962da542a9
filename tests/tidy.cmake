# What is checked of the sources themselves: which way the includes point, and their format.
add_test(NAME tidy COMMAND ${PROJECT_SOURCE_DIR}/tests/tidy_test.py include ${PROJECT_SOURCE_DIR})
add_test(NAME format COMMAND ${PROJECT_SOURCE_DIR}/tests/tidy_test.py format ${PROJECT_SOURCE_DIR})
add_test(NAME words COMMAND ${PROJECT_SOURCE_DIR}/tests/tidy_test.py words ${PROJECT_SOURCE_DIR})
set_tests_properties(tidy format words PROPERTIES LABELS tidy TIMEOUT 120 SKIP_RETURN_CODE 77)
