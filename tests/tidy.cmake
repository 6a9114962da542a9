# What is checked of the sources themselves: which way the includes point, and their format.
add_test(NAME tidy COMMAND ${CMAKE_SOURCE_DIR}/tests/tidy_test.py include ${CMAKE_SOURCE_DIR})
add_test(NAME format COMMAND ${CMAKE_SOURCE_DIR}/tests/tidy_test.py format ${CMAKE_SOURCE_DIR})
set_tests_properties(tidy format PROPERTIES LABELS tidy TIMEOUT 120 SKIP_RETURN_CODE 77)
